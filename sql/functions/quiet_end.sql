create or replace function quiet_end(p_from time, p_until time, p_time_zone text, p_at timestamptz) returns timestamptz
language sql immutable as $$
    select case
        when p_from < p_until and l.at::time >= p_from and l.at::time < p_until
            or p_from > p_until and l.at::time < p_until then greatest((l.at::date + p_until) at time zone p_time_zone, p_at + interval '1 s')
        when p_from > p_until and l.at::time >= p_from then (l.at::date + 1 + p_until) at time zone p_time_zone
        end
    from (select p_at at time zone p_time_zone) l (at)
$$;
comment on function quiet_end is
'When the quiet hours that p_at lies in are over, by the clocks of the time zone, which may be set forward or back meanwhile; null: it lies in none.';
