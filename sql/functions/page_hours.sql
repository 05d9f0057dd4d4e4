create or replace function page_hours(p_host text, p_path text, p_from timestamptz, p_to timestamptz, p_time_zone text)
returns table (hour timestamptz, minutes integer, listed integer, sum numeric, cutoff_sum numeric, avg_listed numeric, avg_low numeric,
    avg_high numeric,
               min numeric, max numeric, first numeric, first_at timestamptz, last numeric, last_at timestamptz, rise numeric, fall numeric,
               change numeric, change_prev numeric)
language sql stable as $$
    with page as materialized (
        select page_number(p_host, p_path) as number,
               p_from - ((p_from at time zone p_time_zone) - date_trunc('hour', p_from at time zone p_time_zone)) as since
    ), slots as (
        select s.*, s.slot - ((s.slot at time zone p_time_zone) - date_trunc('hour', s.slot at time zone p_time_zone)) as hour
        from page p cross join lateral page_slots(p_host, p.number, p.since - interval '1 hour', p_to + interval '1 hour') s
    ), hours as (
        select s.hour, sum(s.minutes) as minutes, sum(s.listed) as listed, sum(s.sum) as sum, sum(s.cutoff_sum) as cutoff_sum,
            min(s.min) as min, max(s.max) as max,
               (array_agg(s.first order by s.slot) filter (where s.listed > 0))[1] as first, min(s.first_at) as first_at,
               (array_agg(s.last order by s.slot desc) filter (where s.listed > 0))[1] as last, max(s.last_at) as last_at,
               sum(s.rise) as rise, sum(s.fall) as fall
        from slots s group by s.hour
    ), figures as (
        select h.*, round(h.sum / 100.0 / h.minutes, 2) as avg_low,
               case when lag(h.hour) over w >= h.hour - interval '1 hour' then lag(round(h.sum / 100.0 / h.minutes, 2)) over w end as before
        from hours h window w as (order by h.hour)
    )
    select f.hour, f.minutes::integer, f.listed::integer, f.sum / 100.0, f.cutoff_sum / 100.0, round(f.sum / 100.0 / nullif(f.listed, 0),
        2), f.avg_low,
           case when p.number <> 0 then round((f.sum + f.cutoff_sum) / 100.0 / f.minutes, 2) when f.cutoff_sum = 0 then f.avg_low end,
           f.min / 100.0, f.max / 100.0, f.first / 100.0, f.first_at, f.last / 100.0, f.last_at, f.rise / 100.0, f.fall / 100.0,
           (f.last - f.first) / 100.0, f.avg_low - f.before
    from figures f cross join page p
    where f.hour >= p.since and f.hour < p_to order by 1
$$;
comment on function page_hours is
'Local hours from that of p_from to p_to, of a page or of the site (no path), made of the roll-ups of 15 minutes. An hour that the clocks
repeat is two. avg_listed = sum / listed, avg_low = sum / minutes, avg_high = (sum + cutoff_sum) / minutes, change = last - first,
change_prev = avg_low less that of the hour before. avg_high of the site is null where pages below the cut-off are not known.';
