create or replace function poll_interval(p_poll_every interval, p_alert_every interval, p_asked_at timestamptz, p_now timestamptz) returns interval
language sql immutable as $$
    select least(coalesce(p_poll_every, case when p_asked_at > p_now - interval '1 hour' then interval '1 minute' else interval '1 hour' end), p_alert_every)
$$;
comment on function poll_interval is 'How often the fetcher asks for a host: as hosts.poll_every says or as somebody asks, and where there are alerts at least every p_alert_every.';
