-- The states of a key for a host. One odd answer of a firewall must not cost an accepted key, and a revoked key must not live on.
--
--   state before   a list (publish_refresh)   a refusal (refuse_key)
--   unknown        accepted                   refused for 60 s
--   accepted       accepted                   doubted
--   doubted        accepted                   within 5 s of the first refusal: doubted still; later: refused for 60 s
--   refused        accepted                   refused for twice as long as before, at most 10 minutes
--
-- unknown is a key without a row. A doubted key is not used for 5 s, and then before all others (see claim_refresh); stale rows are served
-- to it meanwhile. No other key is touched, and the host gets no back-off, since other keys may do. While a key is doubted its checked_at
-- stays as it was, so that a revoked key that is in use is refused within REVOCATION_MS and one back-off. The bounds are those of bound().

create or replace function refuse_key(p_host text, p_token uuid, p_digest bytea, p_error text) returns key_state
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    k     key_checks;
    at    constant timestamptz := clock_timestamp();
    spell interval;
begin
    update refreshes set token = null, lease_until = null, last_error = p_error, last_error_at = at where host = p_host and token = p_token;
    if not found then
        return null;
    end if;
    select * into k from key_checks c where c.host = p_host and c.digest = p_digest for update;
    case
    when k.state = 'accepted' then
        update key_checks c set state = 'doubted', doubted_at = at, refusals = 1 where c.host = p_host and c.digest = p_digest;
        k.state := 'doubted';
    when k.state = 'doubted' and k.doubted_at between at - bound('doubt') and at then
        null;
    else
        spell := case when k.state = 'refused' then least(bound('longest refusal'), bound('first refusal') * 2 ^ least(k.refusals, 6))
                      else bound('first refusal') end;
        insert into key_checks as c (host, digest, state, checked_at, refusals, refused_until)
        values (p_host, p_digest, 'refused', at, 1, at + spell)
        on conflict (host, digest) do update set
            state = 'refused', doubted_at = null, checked_at = at, refused_until = at + spell,
            refusals = case when c.state = 'refused' then least(c.refusals, 100) + 1 else 1 end;
        k.state := 'refused';
        delete from apikeys a where a.digest = p_digest
            and not exists (select from key_checks c where c.digest = p_digest and c.state <> 'refused');
    end case;
    perform set_next_due(p_host);
    delete from key_checks where (host, digest) in (
        select host, digest from key_checks
        where state = 'refused' and refused_until < clock_timestamp() - bound('longest refusal')
        order by refused_until limit 100 for update skip locked);
    return k.state;
end $$;
comment on function refuse_key is
'Chartbeat refused the key for the host: moves the key to its next state, which is returned, and gives the lease back without back-off.
Forgets the sealed key where no host takes it any more, and refusals that are long over. Null: the lease was lost, and nothing is
changed.';
