create or replace function left_alone(p_has_key boolean, p_alert_every interval, p_asked_at timestamptz, p_now timestamptz) returns text
language sql immutable as $$
    select case when not p_has_key then 'no key is accepted'
                when p_alert_every is null and p_asked_at < p_now - interval '30 days' then 'nobody asked for 30 days' end
$$;
comment on function left_alone is 'Why the fetcher leaves a host alone; null: it does not. p_alert_every: not null where somebody is told of its events.';
