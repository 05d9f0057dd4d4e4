create or replace function usual_days(p_at timestamptz, p_time_zone text) returns table (slot timestamptz, day date)
language sql stable as $$
    select c.slot, (c.slot at time zone p_time_zone)::date
    from (select date_bin('15 minutes', p_at, 'epoch') as slot) now
    cross join lateral (select distinct (now.slot at time zone p_time_zone - d * interval '1 day') at time zone p_time_zone + o * interval '30 minutes' as slot
                        from generate_series(1, 56) d cross join generate_series(-2, 2) o) c
    where (c.slot at time zone p_time_zone)::time = (now.slot at time zone p_time_zone)::time
      and (c.slot at time zone p_time_zone)::date between (now.slot at time zone p_time_zone)::date - 56
          and (now.slot at time zone p_time_zone)::date - 1
$$;
comment on function usual_days is
'The quarter of an hour of p_at, by the clocks of a time zone, on each of the 56 days before: none on a day that leaves it out, two on one
that repeats it.';
