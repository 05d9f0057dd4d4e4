create or replace function refusal_holds(p_refused_until timestamptz, p_now timestamptz) returns boolean
language sql immutable parallel safe as $$
    select coalesce(p_refused_until between p_now and p_now + bound('longest refusal'), false)
$$;
comment on function refusal_holds is
'Is a refusal still remembered? One that seems to last longer than any was written before the clock jumped back, and is void.';
