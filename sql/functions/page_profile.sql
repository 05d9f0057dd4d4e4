create or replace function page_profile(
    p_host text, p_path text, p_days integer, p_time_zone text, p_now timestamptz default clock_timestamp())
returns table (hour integer, days integer, median numeric, p25 numeric, p75 numeric, mean numeric, min numeric, max numeric, change numeric)
language sql stable set enable_seqscan = off set enable_memoize = off as $$
    with page as materialized (select page_number(p_host, p_path) as number), bounds as materialized (
        select number, first_seen(number) as since, date_trunc('day', p_now at time zone p_time_zone) as today from page
    ), span as materialized (
        select b.*, f.at - ((f.at at time zone p_time_zone) - date_trunc('hour', f.at at time zone p_time_zone)) as first_hour,
               b.today at time zone p_time_zone as end_at
        from bounds b cross join lateral (select (b.today - p_days * interval '1 day') at time zone p_time_zone) f (at)
    ), slots as (
        -- As page_slots and page_hours. But each array stands on a page of its own (TOAST), and to fetch it is nearly all of the time:
        -- so only two of a row are read, and the first and the last count of an hour only where they are needed.
        select q.slot, q.slot - (l.at - date_trunc('hour', l.at)) as hour, q.minutes, n.place, q.sum[n.place] as sum, q.first, q.last
        from span s cross join quarters q
        cross join lateral (select array_position(q.page_ids, s.number) as place offset 0) n
        cross join lateral (select q.slot at time zone p_time_zone as at offset 0) l
        where q.host = p_host and q.slot >= s.first_hour - interval '1 hour' and q.slot < s.end_at + interval '1 hour'
          and (s.number <> 0 or n.place = 1)
    ), ends as (
        select *, row_number() over w = 1 as is_first, lead(slot) over w is null as is_last
        from slots window w as (partition by hour, place is null order by slot)
    ), hours as (
        select hour, round(coalesce(sum(sum), 0) / 100.0 / sum(minutes), 2) as avg_low,
               (max(case when is_last then last[place] end) - max(case when is_first then first[place] end)) / 100.0 as change
        from ends group by hour having sum(minutes) >= 30
    ), values_of_days as (
        select l.at::date as day, extract(hour from l.at)::integer as hour, avg(h.avg_low) as value, avg(h.change) as change
        from span s cross join hours h cross join lateral (select h.hour at time zone p_time_zone offset 0) l (at)
        where h.hour >= s.first_hour and h.hour < s.end_at and h.hour + interval '1 hour' > s.since
        group by 1, 2
    )
    select o.hour, count(v.value)::integer,
           round(percentile_cont(0.5) within group (order by v.value)::numeric, 2),
           round(percentile_cont(0.25) within group (order by v.value)::numeric, 2),
           round(percentile_cont(0.75) within group (order by v.value)::numeric, 2),
           round(avg(v.value), 2), round(min(v.value), 2), round(max(v.value), 2),
           round(percentile_cont(0.5) within group (order by v.change)::numeric, 2)
    from generate_series(0, 23) o (hour) left join values_of_days v on v.hour = o.hour
    group by o.hour order by o.hour
$$;
comment on function page_profile is
'For each local hour the days of the p_days before today, since the page was first seen, of which at least 30 minutes are known, and over
these: quartiles, mean, smallest and largest of avg_low (see page_hours), and the median of change. An hour that the clocks repeat is
averaged, a missing one left out.';
