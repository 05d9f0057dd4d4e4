create or replace function pages_at(p_host text, p_at timestamptz)
returns table (minute timestamptz, samples integer, cutoff numeric, rank integer, path text, title text, visitors numeric)
language sql stable as $$
    with rolled as materialized (
        select coalesce((select max(slot) + interval '15 minutes' from minutes where host = p_host), '-infinity') as until
    ), known as materialized (
        select max(k.minute) as minute from (
            select m.slot + a.at * interval '1 minute' as minute from minutes m cross join generate_series(0, 14) a (at)
            where m.host = p_host and m.slot > p_at - interval '75 minutes' and m.slot <= p_at and m.samples[a.at + 1] > 0
            union all
            select date_trunc('minute', s.taken_at) from rolled r, snapshots s
            where s.host = p_host and s.taken_at >= greatest(r.until, p_at - interval '1 hour')
                and s.taken_at < p_at + interval '1 minute' and s.suspect_since is null) k
        where k.minute <= p_at and k.minute > p_at - interval '1 hour'
    ), means as (
        select k.minute, m.samples[a.at] as samples, m.cutoffs[a.at] as cutoff, n.page_id, m.visitors[15 * (n.rank - 1) + a.at] as visitors
        from known k join minutes m on m.host = p_host and m.slot = date_bin('15 minutes', k.minute, 'epoch')
        cross join lateral (select (extract(epoch from k.minute - m.slot) / 60)::integer + 1) a (at)
        left join lateral unnest(m.page_ids) with ordinality n (page_id, rank) on m.visitors[15 * (n.rank - 1) + a.at] >= 0
        union all
        select m.minute, m.samples, m.cutoff, m.page_id, m.visitors
        from known k cross join rolled r cross join lateral minute_means(p_host, k.minute, k.minute + interval '1 minute') m
            where k.minute >= r.until
    )
    select m.minute, m.samples::integer, m.cutoff / 100.0,
        case when p.page_id is not null then row_number() over (order by m.visitors desc nulls last, p.path collate "C") end::integer,
           p.path, coalesce((select l.title from titles l where l.page_id = m.page_id and l.since < m.minute + interval '1 minute'
               order by l.since desc limit 1), p.title),
           m.visitors / 100.0
    from means m left join pages p on p.page_id = m.page_id
    order by m.visitors desc nulls last, p.path collate "C"
$$;
comment on function pages_at is
'The list as it stood at the minute of p_at, or at the last known one of the hour before it: minute means by visitors descending, then
path, with the titles of that time. One row without a page where the list was empty; none where nothing is known.';
