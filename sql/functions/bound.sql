create or replace function bound(p_name text) returns interval
language sql immutable parallel safe as $$
    select case p_name
        when 'doubt' then interval '5 s'
        when 'first refusal' then interval '60 s'
        when 'longest refusal' then interval '10 minutes'
        when 'longest back-off' then interval '60 s'
        when 'longest Retry-After' then interval '10 minutes'
    end
$$;
comment on function bound is
'The bounds of keys and back-off; nothing else knows these numbers. The 5 minutes after which an accepted key is checked again are
REVOCATION_MS in lib/api/policy.h: the programs hand them to claim_refresh.';
