create or replace function headline_changes(p_host text, p_path text, p_from timestamptz, p_to timestamptz)
returns table (t timestamptz, path text, title text, was text)
language sql stable set enable_seqscan = off as $$
    select l.since, p.path, l.title, b.title
    from pages p join titles l using (page_id)
    cross join lateral (select o.title from titles o where o.page_id = l.page_id and o.since < l.since order by o.since desc limit 1) b
    where p.host = p_host and (p_path is null or p.path = p_path) and l.since >= p_from and l.since < p_to
    order by l.since, p.path collate "C"
$$;
comment on function headline_changes is
'New titles of a page, or of all pages of the site (no path), from p_from (included) to p_to. Reads what lies in the span and one title
before each.';
