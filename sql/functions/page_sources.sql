create or replace function page_sources(p_host text, p_path text, p_from timestamptz, p_to timestamptz, p_step interval)
returns table (t timestamptz, search numeric, social numeric, links numeric, direct numeric, internal numeric)
language sql stable as $$
    with page as materialized (
        select page_number(p_host, p_path) as number, greatest(date_bin(p_step, p_from, 'epoch'), p_to - interval '48 hours') as since
    ), chosen as materialized (
        -- Of a long step one snapshot a minute: a day has 28,800 of them.
        select min(s.taken_at) as taken_at
        from page p join snapshots s on s.host = p_host and s.taken_at >= p.since and s.taken_at < p_to and s.suspect_since is null
        where p.number > 0
        group by case when p_step < interval '15 minutes' then s.taken_at else date_trunc('minute', s.taken_at) end
    )
    select date_bin(p_step, s.taken_at, 'epoch'), round(avg(count_at(s.sources, n.at + 1)), 2), round(avg(count_at(s.sources, n.at + 2)), 2),
           round(avg(count_at(s.sources, n.at + 3)), 2), round(avg(count_at(s.sources, n.at + 4)), 2), round(avg(count_at(s.sources, n.at + 5)), 2)
    from chosen c cross join page p
    join snapshots s on s.host = p_host and s.taken_at = c.taken_at
    cross join lateral (select 5 * (array_position(s.page_ids, p.number) - 1) offset 0) n (at)
    where n.at + 5 <= length(s.sources[1])
    group by 1 order by 1
$$;
comment on function page_sources is
'Where the visitors of a page came from, in steps from p_from (included) to p_to: the means of the snapshots in which it was listed with its
sources; of steps of 15 minutes or more those of the first snapshot of each minute. Only of what raw snapshots there are, of at most the last
48 hours of the span. The page has no row where none is known.';
