-- One fetch for hundreds of clients: claim the lease, then publish, fail or refuse. Workers and collector call these and
-- nothing else writes. A lease is a row with a random name, not a held lock: a holder that freezes loses it by the clock, and
-- a failover keeps it. Each function is one transaction, bounded by the lock_timeout of its caller.

create function claim_refill(
    p_host text, p_digest bytea, p_check boolean,
    p_ttl_ms integer, p_lease_ms integer, p_step_ms integer, p_burst_ms integer,
    out outcome text, out wait_ms integer, out token uuid, out claimed_at timestamptz, out digest bytea, out sealed bytea)
language plpgsql as $$
declare
    r   refills;
    now timestamptz;
    ttl constant interval := p_ttl_ms * interval '1 ms';
    is_guess boolean := false;
    -- Ten keys that were never accepted in a row, then one every three seconds, for each host.
    guess_step constant interval := interval '3 s';
    guess_burst constant interval := interval '27 s';
begin
    wait_ms := 0;
    select * into r from refills where host = p_host for update skip locked;
    if not found then
        insert into refills (host) values (p_host) on conflict do nothing;
        if found then
            delete from refills where host in (
                select host from refills where not known and created_at < clock_timestamp() - interval '1 hour'
                order by created_at limit 100 for update skip locked);
        end if;
        select * into r from refills where host = p_host for update skip locked;
        if not found then
            outcome := 'leased';
            return;
        end if;
    end if;
    now := clock_timestamp();

    if p_digest is not null then
        update hosts set asked_at = now
        where host = p_host and (asked_at < now - interval '1 minute' or asked_at > now + interval '1 minute');
    end if;

    -- Somebody else may have done it between our caller's read and our lock. A time far in the future is void:
    -- the clock has jumped back since it was written.
    if p_check then
        if exists (select from key_checks k where k.host = p_host and k.digest = p_digest
                   and case when k.accepted then k.checked_at between now - interval '5 minutes' and now + interval '5 minutes'
                       else k.refused_until between now and now + interval '10 minutes' end) then
            outcome := 'done';
            return;
        end if;
        is_guess := not exists (select from key_checks k where k.host = p_host and k.digest = p_digest and k.accepted);
    elsif exists (select from cache c where c.host = p_host and c.taken_at between now - ttl and now + ttl) then
        outcome := 'done';
        return;
    end if;

    if r.next_try_at between now and now + interval '601 s' then
        outcome := 'back-off';
        wait_ms := ceil(extract(epoch from r.next_try_at - now) * 1000);
        return;
    end if;
    if r.token is not null and r.lease_until between now and now + p_lease_ms * interval '1 ms' then
        outcome := 'leased';
        return;
    end if;
    if r.tat > now + p_burst_ms * interval '1 ms' and r.tat < now + (p_burst_ms + p_step_ms) * interval '2 ms' then
        outcome := 'budget';
        wait_ms := ceil(extract(epoch from r.tat - now) * 1000) - p_burst_ms;
        return;
    end if;

    if is_guess and r.check_tat > now + guess_burst and r.check_tat < now + 2 * guess_burst then
        outcome := 'guesses';
        wait_ms := ceil(extract(epoch from r.check_tat - now - guess_burst) * 1000);
        return;
    end if;

    if p_check then
        digest := p_digest;
    else
        select k.digest, a.sealed into digest, sealed from key_checks k join apikeys a using (digest)
        where k.host = p_host and k.accepted order by k.checked_at limit 1;
        if not found then
            outcome := 'keyless';
            return;
        end if;
    end if;

    outcome := 'granted';
    token := gen_random_uuid();
    claimed_at := now;
    update refills f set
        token = claim_refill.token,
        lease_until = now + p_lease_ms * interval '1 ms',
        tat = case when r.tat between now and now + (p_burst_ms + p_step_ms) * interval '2 ms' then r.tat else now end
              + p_step_ms * interval '1 ms',
        check_tat = case when not is_guess then r.check_tat
                         when r.check_tat between now and now + 2 * guess_burst then r.check_tat + guess_step
                         else now + guess_step end,
        requests = r.requests + 1
    where f.host = p_host;
end $$;
comment on function claim_refill is
'May the caller ask Chartbeat for this host? outcome granted (with the lease''s token, the time and the key to use: its digest
and its sealed form; sealed is null where it is the caller''s own key), done (it was done meanwhile: read again), leased, back-off
or budget (wait_ms says how long), guesses (too many keys that were never accepted; wait_ms too), keyless. p_check: the caller wants its own key (p_digest) checked, however fresh the snapshot is.
p_digest is null for the collector: then nobody has asked.';

create function publish_refill(
    p_host text, p_token uuid, p_digest bytea, p_sealed bytea, p_taken_at timestamptz, p_ttl_ms integer, p_row_limit integer,
    p_text text, p_paths text[], p_titles text[], p_sections text[], p_visitors integer[], p_sources integer[],
    p_rate_limit integer, p_rate_remaining integer, p_refused_rows integer)
returns boolean
language plpgsql as $$
declare
    r    refills;
    last timestamptz;
    ttl  constant interval := p_ttl_ms * interval '1 ms';
begin
    select * into r from refills where host = p_host for update;
    select taken_at into last from cache where host = p_host;
    if r.token is distinct from p_token and last >= p_taken_at then
        return false;
    end if;

    insert into hosts (host) values (p_host) on conflict do nothing;
    if p_sealed is not null then
        insert into apikeys (digest, sealed) values (p_digest, p_sealed)
        on conflict (digest) do update set sealed = excluded.sealed;
    end if;
    insert into key_checks (host, digest, accepted, checked_at) values (p_host, p_digest, true, p_taken_at)
    on conflict (host, digest) do update set accepted = true, checked_at = p_taken_at, refusals = 0, refused_until = null;
    update refills set
        known = true, failures = 0, next_try_at = null, refused_rows = refused_rows + p_refused_rows,
        token = case when token = p_token then null else token end,
        lease_until = case when token = p_token then null else lease_until end
    where host = p_host;

    -- The check of a key within the TTL brings no snapshot: they would stand too close for a difference.
    if last between p_taken_at - ttl and p_taken_at + ttl then
        return false;
    end if;

    with added as (
        insert into pages (host, path, title, sections)
        select p_host, n.path, n.title, string_to_array(n.sections, chr(31))
        from unnest(p_paths, p_titles, p_sections) n (path, title, sections)
        where not exists (select from pages p where p.host = p_host and p.path = n.path)
        on conflict do nothing
        returning page_id, title
    ), renamed as (
        update pages p set title = n.title from unnest(p_paths, p_titles) n (path, title)
        where p.host = p_host and p.path = n.path and p.title <> n.title
        returning p.page_id, p.title
    )
    insert into titles (page_id, since, title)
    select page_id, p_taken_at, title from added union all select page_id, p_taken_at, title from renamed
    on conflict do nothing;

    update pages p set sections = string_to_array(n.sections, chr(31)) from unnest(p_paths, p_sections) n (path, sections)
    where p.host = p_host and p.path = n.path and p.sections <> string_to_array(n.sections, chr(31));

    insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources)
    select p_host, p_taken_at, p_row_limit, coalesce(array_agg(p.page_id order by n.rank), '{}'), p_visitors, p_sources
    from unnest(p_paths) with ordinality n (path, rank) join pages p on p.host = p_host and p.path = n.path
    on conflict do nothing;

    insert into cache (host, taken_at, pages, rate_limit, rate_remaining)
    values (p_host, p_taken_at, p_text, p_rate_limit, p_rate_remaining)
    on conflict (host) do update set
        previous_at = cache.taken_at, previous_pages = cache.pages,
        taken_at = p_taken_at, pages = p_text, rate_limit = p_rate_limit, rate_remaining = p_rate_remaining;
    return true;
end $$;
comment on function publish_refill is
'Chartbeat answered: stores host, key (p_sealed, where it is new), verdict, snapshot and cache row, and gives the lease back. Sections are joined by chr(31). True: a
new snapshot; false: it came too late, or within the TTL. To call it again with the same token and time changes nothing.';

create function fail_refill(p_host text, p_token uuid, p_error text, p_retry_after_ms integer)
returns integer
language plpgsql as $$
declare
    wait_ms integer;
begin
    update refills set
        token = null, lease_until = null, failures = least(failures, 1000) + 1,
        last_error = p_error, last_error_at = clock_timestamp(),
        next_try_at = clock_timestamp() + greatest(
            least(p_retry_after_ms, 600000) * interval '1 ms',
            least(60, 2 ^ least(failures + 1, 6) * (0.75 + random() / 2)) * interval '1 s')
    where host = p_host and token = p_token
    returning ceil(extract(epoch from next_try_at - clock_timestamp()) * 1000) into wait_ms;
    return coalesce(wait_ms, 0);
end $$;
comment on function fail_refill is
'Chartbeat could not be asked, or said nothing of use: back-off of 2^failures seconds with jitter, at most 60, or Retry-After, at most
600. Returns how long in ms; 0 where the lease was lost meanwhile, and then nothing is changed.';

create function refuse_key(p_host text, p_token uuid, p_digest bytea, p_error text)
returns void
language plpgsql as $$
begin
    update refills set token = null, lease_until = null, last_error = p_error, last_error_at = clock_timestamp()
    where host = p_host and token = p_token;
    if not found then
        return;
    end if;
    insert into key_checks as k (host, digest, accepted, checked_at, refusals, refused_until)
    values (p_host, p_digest, false, clock_timestamp(), 1, clock_timestamp() + interval '60 s')
    on conflict (host, digest) do update set
        accepted = false, checked_at = clock_timestamp(), refusals = least(k.refusals, 100) + 1,
        refused_until = clock_timestamp() + least(600, 60 * 2 ^ least(k.refusals, 4)) * interval '1 s';
    delete from apikeys a where a.digest = p_digest
        and not exists (select from key_checks k where k.digest = p_digest and k.accepted);
    delete from key_checks where (host, digest) in (
        select host, digest from key_checks where not accepted and refused_until < clock_timestamp() - interval '10 minutes'
        order by refused_until limit 100 for update skip locked);
end $$;
comment on function refuse_key is
'Chartbeat refused the key for the host: remembers it, gives the lease back without back-off, since other keys may do, forgets the
sealed key where no host takes it any more, and purges refusals that are long over.';

grant select on hosts, apikeys, key_checks, cache, refills, pages, titles, snapshots to upbeat_app;
grant insert, update (asked_at) on hosts to upbeat_app;
grant insert, update (sealed), delete on apikeys to upbeat_app;
grant insert, update, delete on key_checks, refills to upbeat_app;
grant insert, update on cache to upbeat_app;
grant insert, update (title, sections) on pages to upbeat_app;
grant insert on titles, snapshots to upbeat_app;
revoke execute on function claim_refill, publish_refill, fail_refill, refuse_key from public;
grant execute on function claim_refill, publish_refill, fail_refill, refuse_key to upbeat_app;
