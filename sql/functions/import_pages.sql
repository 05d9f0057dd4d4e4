create or replace function import_pages(p_host text, p_at timestamptz, p_paths text[], p_titles text[], p_sections text[]) returns integer[]
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    insert into hosts (host) values (p_host) on conflict do nothing;
    insert into pages (host, path, title, sections)
    select p_host, n.path, coalesce(nullif(n.title, ''), n.path), coalesce(string_to_array(nullif(n.sections, ''), chr(31)), '{}')
    from unnest(p_paths, p_titles, p_sections) n (path, title, sections)
    where not exists (select from pages where host = p_host and path = n.path)
    on conflict do nothing;
    insert into titles (page_id, since, title)
    select p.page_id, p_at, p.title from unnest(p_paths) n (path) cross join lateral (select * from pages where host = p_host and path = n.path offset 0) p
    where not exists (select from titles t where t.page_id = p.page_id)
    on conflict do nothing;
    -- What comes in newest first moves the beginning of a title back; another title before the first one is a headline of its own.
    with given as (
        select p.page_id, f.since, f.title as first_title, coalesce(nullif(n.title, ''), f.title) as title
        from unnest(p_paths, p_titles) n (path, title)
        cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p
        cross join lateral (select since, title from titles where page_id = p.page_id order by since limit 1) f
        where f.since > p_at
    ), moved as (
        update titles t set since = p_at from given g where g.title = g.first_title and t.page_id = g.page_id and t.since = g.since
    )
    insert into titles (page_id, since, title) select g.page_id, p_at, g.title from given g where g.title <> g.first_title on conflict do nothing;
    -- And a title that is not the one of that time begins then.
    insert into titles (page_id, since, title)
    select p.page_id, p_at, n.title
    from unnest(p_paths, p_titles) n (path, title)
    cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p
    cross join lateral (select title from titles where page_id = p.page_id and since <= p_at order by since desc limit 1) l
    where n.title <> '' and l.title <> n.title
    on conflict do nothing;
    return (select array_agg(p.page_id order by n.rank)
            from unnest(p_paths) with ordinality n (path, rank)
            cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p);
end $$;
comment on function import_pages is
'The numbers of these pages of a host, which are made where they are new. A title of '''' says nothing of the title; sections are joined by chr(31).';
