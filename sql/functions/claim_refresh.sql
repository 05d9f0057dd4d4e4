create or replace function claim_refresh(
    p_host text, p_digest bytea, p_check boolean,
    p_ttl_ms integer, p_lease_ms integer, p_step_ms integer, p_burst_ms integer, p_revocation_ms integer,
    out outcome claim_outcome, out wait_ms integer, out token uuid, out claimed_at timestamptz, out digest bytea, out sealed bytea)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    r        refreshes;
    k        key_checks;
    at       timestamptz;
    until    timestamptz;
    is_guess boolean := false;
    ttl      constant interval := p_ttl_ms * interval '1 ms';
    revocation constant interval := p_revocation_ms * interval '1 ms';
    -- Ten keys that were never accepted in a row, then one every three seconds, for each host.
    guess_step  constant interval := interval '3 s';
    guess_burst constant interval := interval '27 s';
begin
    wait_ms := 0;
    select * into r from refreshes where host = p_host for update skip locked;
    if not found then
        insert into refreshes (host) values (p_host) on conflict do nothing;
        if found then
            delete from refreshes where host in (
                select host from refreshes where not is_accepted and created_at < clock_timestamp() - interval '1 hour'
                order by created_at limit 100 for update skip locked);
        end if;
        select * into r from refreshes where host = p_host for update skip locked;
        if not found then
            outcome := 'held';
            return;
        end if;
    end if;
    at := clock_timestamp();

    if p_digest is not null then
        perform asked(p_host);
    end if;

    -- Another process may have refreshed the host, or checked the key, between our caller's look-up and our lock. A time far in the future
    -- is void: the clock has jumped back since it was written.
    if p_check then
        select * into k from key_checks c where c.host = p_host and c.digest = p_digest;
        if (k.state = 'accepted' and k.checked_at between at - revocation and at + revocation)
           or (k.state = 'refused' and refusal_holds(k.refused_until, at)) then
            outcome := 'not_needed';
            return;
        end if;
        if k.state = 'doubted' and k.doubted_at between at - bound('doubt') and at then
            outcome := 'backoff';
            wait_ms := ceil(extract(epoch from k.doubted_at + bound('doubt') - at) * 1000);
            return;
        end if;
        is_guess := k.state is null or k.state = 'refused';
    else
        select c.taken_at + ttl into until from cache c where c.host = p_host and c.taken_at between at - ttl and at + ttl;
        if found then
            outcome := 'not_needed';
            -- Here and below: a host that stays due although it can't be asked for would be claimed again and again until it can.
            update refreshes f set next_due_at = until where f.host = p_host and f.next_due_at < until;
            return;
        end if;
    end if;

    if r.next_try_at between at and at + bound('longest Retry-After') + interval '1 s' then
        outcome := 'backoff';
        wait_ms := ceil(extract(epoch from r.next_try_at - at) * 1000);
        return;
    end if;
    if r.token is not null and r.lease_until between at and at + p_lease_ms * interval '1 ms' then
        outcome := 'held';
        return;
    end if;
    if r.budget_tat > at + p_burst_ms * interval '1 ms' and r.budget_tat < at + (p_burst_ms + p_step_ms) * interval '2 ms' then
        outcome := 'rate_limited';
        wait_ms := ceil(extract(epoch from r.budget_tat - at) * 1000) - p_burst_ms;
        until := at + wait_ms * interval '1 ms';
        update refreshes f set next_due_at = until where f.host = p_host and f.next_due_at < until;
        return;
    end if;
    if is_guess and r.bad_key_tat > at + guess_burst and r.bad_key_tat < at + 2 * guess_burst then
        outcome := 'bad_keys';
        wait_ms := ceil(extract(epoch from r.bad_key_tat - at - guess_burst) * 1000);
        return;
    end if;

    if p_check then
        digest := p_digest;
    else
        -- A key that is doubted long enough was not checked for longer than the others, so that it is checked first. After a failure it may
        -- be one key that fails, which must not be taken each time.
        select c.digest, a.sealed into digest, sealed from key_checks c join apikeys a using (digest)
        where c.host = p_host and c.state <> 'refused'
          and (c.state = 'accepted' or c.doubted_at not between at - bound('doubt') and at)
        order by case when r.failures > 0 then random() end, c.checked_at limit 1;
        if not found then
            select min(c.doubted_at) + bound('doubt') into until from key_checks c where c.host = p_host and c.state = 'doubted';
            outcome := case when until is null then 'no_key' else 'backoff' end;
            wait_ms := coalesce(ceil(extract(epoch from until - at) * 1000), 0);
            until := coalesce(until, at + bound('longest back-off'));
            update refreshes f set next_due_at = until where f.host = p_host and f.next_due_at < until;
            return;
        end if;
    end if;

    outcome := 'granted';
    token := gen_random_uuid();
    claimed_at := at;
    update refreshes f set
        token = claim_refresh.token,
        lease_until = at + p_lease_ms * interval '1 ms',
        budget_tat = case when r.budget_tat between at and at + (p_burst_ms + p_step_ms) * interval '2 ms' then r.budget_tat else at end
                     + p_step_ms * interval '1 ms',
        bad_key_tat = case when not is_guess then r.bad_key_tat
                           when r.bad_key_tat between at and at + 2 * guess_burst then r.bad_key_tat + guess_step
                           else at + guess_step end,
        requests = r.requests + 1
    where f.host = p_host;
end $$;
comment on function claim_refresh is
'May the caller ask Chartbeat for this host? The lease is a row with a random token, not a held lock: a holder that freezes loses it by
the clock, and a failover keeps it. outcome: granted (with the token, the time and the key to use: its digest and its sealed form, which
is null where it is the caller''s own key); not_needed (it was done meanwhile: look up again); held (by another process); backoff,
rate_limited or bad_keys (too many keys that were never accepted), for wait_ms; no_key. p_check: the caller wants its own key (p_digest)
checked, however fresh the snapshot is. p_digest is null for a refresh by the clock, which nobody has asked for. p_step_ms and p_burst_ms
are the rate (GCRA).';
