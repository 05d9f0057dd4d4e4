create or replace function poll_interval(p_poll_every interval, p_asked_at timestamptz, p_now timestamptz) returns interval
language sql immutable as $$
    select coalesce(p_poll_every, case when p_asked_at > p_now - interval '1 hour' then interval '1 minute' else interval '1 hour' end)
$$;
comment on function poll_interval is 'How often the fetcher asks for a host.';
