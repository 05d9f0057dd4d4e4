create or replace function page_usual(p_host text, p_path text, p_time_zone text)
returns table (as_of timestamptz, slot timestamptz, visitors integer, rank integer, usual numeric, usual_low numeric, usual_high numeric,
    vs_usual numeric,
               basis text, n integer, usual_for_rank numeric)
language sql stable as $$
    with page as materialized (select page_number(p_host, p_path) as number), newest as materialized (
        select s.taken_at, date_bin('15 minutes', s.taken_at, 'epoch') as slot, s.page_ids, unpack_counts(s.visitors) as visitors, n.rank
        from page p cross join cache c
        cross join lateral (select * from snapshots g where g.host = c.host and g.taken_at <= c.taken_at and g.suspect_since is null
                            order by g.taken_at desc limit 1) s
        cross join lateral (select array_position(s.page_ids, p.number) as rank) n
        where c.host = p_host
    ), now as materialized (
        select n.taken_at, n.slot, n.rank, (n.slot at time zone p_time_zone)::date as day,
               case when p.number = 0 then (select coalesce(sum(v), 0) from unnest(n.visitors) v)
                    else coalesce(n.visitors[n.rank], 0) end as visitors
        from newest n cross join page p
    ), past as materialized (
        select d.day, q.*, array_position(q.page_ids, p.number) as place
        from now n cross join page p cross join lateral usual_days(n.taken_at, p_time_zone) d
        join quarters q on q.host = p_host and q.slot = d.slot
        where q.slot + interval '15 minutes' > first_seen(p.number) or n.rank is not null
    ), own as (
        select u.* from now n cross join page p
        cross join lateral (select array_agg(coalesce(q.sum[q.place], 0) / 100.0 / q.minutes) as values,
            array_agg(q.day) as days from past q
                            where q.slot + interval '15 minutes' > first_seen(p.number) and (p.number <> 0 or q.place is not null)) v
        cross join lateral usual_of(v.values, v.days, n.day) u
    ), of_rank as (
        select u.usual from now n
        cross join lateral (select array_agg((select s from unnest(q.page_ids, q.sum) x (id, s) where id <> 0
            order by s desc offset n.rank - 1 limit 1) / 100.0 / q.minutes) as values,
                                   array_agg(q.day) as days
                            from past q where n.rank is not null) v
        cross join lateral usual_of(v.values, v.days, n.day) u
        where n.rank is not null
    )
    select n.taken_at, n.slot, n.visitors::integer, n.rank, o.usual, o.low, o.high, round(n.visitors / nullif(o.usual, 0), 4), o.basis,
        coalesce(o.n, 0), r.usual
    from now n left join own o on true left join of_rank r on true
$$;
comment on function page_usual is
'What a page or the site (no path) has now, and what is usual at this quarter of an hour by the site''s clocks: quartiles of avg_low over
the same weekday of the last 8 weeks, or see usual_of; of days since the page was first seen. usual_for_rank: what the page of its rank
usually has then.';
