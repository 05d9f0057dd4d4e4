create or replace function trend_pages(p_ids integer[])
returns table (page_id integer, path text, title text, sections text, first_seen timestamptz, since timestamptz)
language sql stable set enable_seqscan = off as $$
    with seen as (
        select t.page_id, min(t.since) as first_seen from titles t where t.page_id = any (p_ids) group by t.page_id
    )
    select p.page_id, p.path, p.title, array_to_string(p.sections, chr(31)), s.first_seen,
           (select max(e.began_at) from events e
            where e.host = p.host and e.page_id = p.page_id and e.ended_at is null and e.kind in ('rise', 'takeoff', 'fall'))
    from pages p left join seen s using (page_id)
    where p.page_id = any (p_ids)
    order by p.page_id
$$;
comment on function trend_pages is 'Path, title, sections (joined by chr(31)) first title''s time of these pages, by number; since: when the rise, takeoff
or fall began that is not over.';
