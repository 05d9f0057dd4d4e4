create or replace function page_profile(p_host text, p_path text, p_days integer, p_time_zone text, p_now timestamptz default clock_timestamp())
returns table (hour integer, days integer, median numeric, p25 numeric, p75 numeric, mean numeric, min numeric, max numeric, change numeric)
language sql stable as $$
    with bounds as materialized (
        select date_trunc('day', p_now at time zone p_time_zone) as today, first_seen(page_number(p_host, p_path)) as since
    ), values_of_days as (
        select (h.hour at time zone p_time_zone)::date as day, extract(hour from h.hour at time zone p_time_zone)::integer as hour,
               avg(h.avg_low) as value, avg(h.change) as change
        from bounds b
        cross join lateral page_hours(p_host, p_path, (b.today - p_days * interval '1 day') at time zone p_time_zone, b.today at time zone p_time_zone, p_time_zone) h
        where h.minutes >= 30 and h.hour + interval '1 hour' > b.since
        group by 1, 2
    )
    select o.hour, count(v.value)::integer,
           round(percentile_cont(0.5) within group (order by v.value)::numeric, 2), round(percentile_cont(0.25) within group (order by v.value)::numeric, 2),
           round(percentile_cont(0.75) within group (order by v.value)::numeric, 2),
           round(avg(v.value), 2), round(min(v.value), 2), round(max(v.value), 2), round(percentile_cont(0.5) within group (order by v.change)::numeric, 2)
    from generate_series(0, 23) o (hour) left join values_of_days v on v.hour = o.hour
    group by o.hour order by o.hour
$$;
comment on function page_profile is
'For each local hour the days of the p_days before today, since the page was first seen, of which at least 30 minutes are known, and over these: quartiles,
mean, smallest and largest of avg_low (see page_hours), and the median of change. An hour that the clocks repeat is averaged, a missing one left out.';
