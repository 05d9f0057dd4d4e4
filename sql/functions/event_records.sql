create or replace function event_records(p_host text) returns table (page_id integer, most real)
language sql stable as $$
    with known as (
        select min(slot) as first, max(case when page_ids[1] = 0 then max[1] end) as most from quarters where host = p_host
    ), pages_known as (
        select u.page_id, min(q.slot) as first, max(u.most) as most
        from quarters q cross join lateral unnest(q.page_ids, q.max) u(page_id, most)
        where q.host = p_host and q.slot > now() - interval '28 days' and u.page_id <> 0
        group by u.page_id
    ), all_known as (
        select 0 as page_id, k.first, k.most from known k union all select p.* from pages_known p
    )
    select a.page_id, (a.most / 100.0)::real from all_known a
    where a.first < now() - interval '7 days' and a.most > 0
        and not exists (select from events e where e.host = p_host and e.page_id = a.page_id and e.kind = 'record'
            and e.began_at > now() - interval '1 day')
$$;
comment on function event_records is
'The most visitors that a site (page_id 0) had in the kept history, and each of its pages in the last 28 days. One that is known for less
than a week has no record to break, and one that broke it within a day is left out: a record is told once a day.';
