create or replace function left_alone(p_has_key boolean, p_asked_at timestamptz, p_now timestamptz) returns text
language sql immutable as $$
    select case when not p_has_key then 'no key is accepted'
                when p_asked_at < p_now - interval '30 days' then 'nobody asked for 30 days' end
$$;
comment on function left_alone is 'Why the fetcher leaves a host alone; null: it does not.';
