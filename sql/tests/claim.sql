-- The rules of who may ask Chartbeat, and when: lease, freshness, back-off, rate budget, guesses, and clocks that jump.
-- Time is not waited for: what was written is moved into the past or the future.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create function pg_temp.key(p_key text) returns bytea language sql as $$ select sha256(convert_to(p_key, 'UTF8')) $$;

create function pg_temp.claim(
    p_host text, p_key text default null, p_check boolean default false,
    out outcome claim_outcome, out wait_ms integer, out token uuid, out claimed_at timestamptz, out digest bytea, out sealed bytea)
language sql as $$
    select * from claim_refresh(
        p_host => p_host, p_digest => pg_temp.key(p_key), p_check => p_check,
        p_ttl_ms => 3000, p_lease_ms => 6000, p_step_ms => 334, p_burst_ms => 6000, p_revocation_ms => 300000)
$$;

create function pg_temp.outcome(p_host text, p_key text default null, p_check boolean default false) returns claim_outcome
language sql as $$ select outcome from pg_temp.claim(p_host, p_key, p_check) $$;

-- A host with keys that were accepted so many seconds ago; no snapshot, nobody at it.
create function pg_temp.host(p_host text, p_keys text[], p_checked_s integer[]) returns void language plpgsql as $$
begin
    insert into hosts (host) values (p_host);
    insert into refreshes (host, is_accepted) values (p_host, true);
    insert into apikeys (digest, sealed) select pg_temp.key(k), convert_to('sealed ' || k, 'UTF8') from unnest(p_keys) k
    on conflict do nothing;
    insert into key_checks (host, digest, state, checked_at)
    select p_host, pg_temp.key(k), 'accepted', clock_timestamp() - s * interval '1 s' from unnest(p_keys, p_checked_s) n (k, s);
end $$;

create function pg_temp.snapshot(p_host text, p_age interval) returns void language sql as $$
    insert into cache (host, taken_at, pages) values (p_host, clock_timestamp() - p_age, '')
    on conflict (host) do update set taken_at = excluded.taken_at
$$;

-- What comes of a claim of a host whose snapshot is that old, with no pause in between.
create function pg_temp.outcome_at(p_host text, p_age interval) returns claim_outcome language plpgsql as $$
begin
    perform pg_temp.snapshot(p_host, p_age);
    return pg_temp.outcome(p_host);
end $$;

create function pg_temp.give_back(p_host text) returns void language sql as $$
    update refreshes set token = null, lease_until = null where host = p_host
$$;

-- Whether it says how long until `p_until`, however long the machine takes over it.
create function pg_temp.waits_until(p_host text, p_until timestamptz) returns boolean language plpgsql as $$
declare
    before constant timestamptz := clock_timestamp();
    wait_ms integer := (select c.wait_ms from pg_temp.claim(p_host) c);
begin
    return wait_ms between floor(extract(epoch from p_until - clock_timestamp()) * 1000)
                   and ceil(extract(epoch from p_until - before) * 1000) + 1;
end $$;

create function pg_temp.due(p_host text) returns void language sql as $$
    update refreshes set next_due_at = clock_timestamp() - interval '1 s' where host = p_host
$$;

-- A host that nobody knows.
select is(pg_temp.outcome('new.example'), 'no_key', 'nobody''s key to ask with');
select is((select is_accepted from refreshes where host = 'new.example'), false, 'it is remembered as not known');
select results_eq(
    $$ select outcome, wait_ms, token is not null, claimed_at is not null, digest, sealed
       from pg_temp.claim('new.example', 'key-one', true) $$,
    $$ values ('granted'::claim_outcome, 0, true, true, pg_temp.key('key-one'), null::bytea) $$,
    'with a key of one''s own: granted, with that key, which is not sealed');
select is((select requests from refreshes where host = 'new.example'), 1::bigint, 'the request is counted');
select is(pg_temp.outcome('new.example', 'key-two', true), 'held', 'one at a time');

-- The lease.
select pg_temp.host('lease.example', '{a,b}', '{10,20}');
create temporary table first as select * from pg_temp.claim('lease.example');
select results_eq('select outcome, digest, sealed from first',
    $$ values ('granted'::claim_outcome, pg_temp.key('b'), convert_to('sealed b', 'UTF8')) $$,
    'the accepted key that was checked longest ago, with its sealed form');
select is(pg_temp.outcome('lease.example'), 'held', 'somebody is at it');
select is(pg_temp.outcome('lease.example', 'a'), 'held', 'for a caller with a key too');
update refreshes set lease_until = clock_timestamp() - interval '1 ms' where host = 'lease.example';
select is(pg_temp.outcome('lease.example'), 'granted', 'a lease that has run out is void');
select isnt((select token from refreshes where host = 'lease.example'), (select token from first), 'each lease has its own name');
select ok((select lease_until between clock_timestamp() + interval '5 s' and clock_timestamp() + interval '6 s'
           from refreshes where host = 'lease.example'), 'and lasts as long as was asked');
update refreshes set lease_until = clock_timestamp() + interval '1 hour' where host = 'lease.example';
select is(pg_temp.outcome('lease.example'), 'granted', 'a lease of an hour was never given: the clock has jumped back');

-- Freshness.
select pg_temp.host('fresh.example', '{a}', '{10}');
update refreshes set next_due_at = '-infinity' where host = 'fresh.example';
select is(pg_temp.outcome_at('fresh.example', '2.5 s'), 'not_needed', 'within the TTL nobody asks');
select ok((select next_due_at >= taken_at + interval '3 s' from refreshes join cache using (host) where host = 'fresh.example'),
    'and it is not due before its end');
select pg_temp.snapshot('fresh.example', '-2.5 s');
select is(pg_temp.outcome('fresh.example'), 'not_needed', 'nor a little before a snapshot');
select pg_temp.snapshot('fresh.example', '3.1 s');
select is(pg_temp.outcome('fresh.example'), 'granted', 'past the TTL: granted');
select pg_temp.give_back('fresh.example');
select pg_temp.snapshot('fresh.example', '-1 hour');
select is(pg_temp.outcome('fresh.example'), 'granted', 'a snapshot of an hour from now is void');

-- Checks of a key.
select pg_temp.host('check.example', '{old,recent,future}', '{301,299,-301}');
select pg_temp.snapshot('check.example', '0 s');
select is(pg_temp.outcome('check.example', 'recent', true), 'not_needed', 'a key that was checked within 5 minutes');
select is(pg_temp.outcome('check.example', 'old', true), 'granted', 'past 5 minutes it is checked, however fresh the snapshot is');
select pg_temp.give_back('check.example');
select is(pg_temp.outcome('check.example', 'future', true), 'granted', 'a check from the future is void');
select pg_temp.give_back('check.example');
select is(pg_temp.outcome('check.example', 'never', true), 'granted', 'a key that was never tried is checked');
select pg_temp.give_back('check.example');
insert into key_checks (host, digest, state, checked_at, refusals, refused_until) values
    ('check.example', pg_temp.key('refused'), 'refused', clock_timestamp(), 1, clock_timestamp() + interval '59 s'),
    ('check.example', pg_temp.key('forgiven'), 'refused', clock_timestamp(), 1, clock_timestamp() - interval '1 s'),
    ('check.example', pg_temp.key('jumped'), 'refused', clock_timestamp(), 1, clock_timestamp() + interval '11 minutes');
select is(pg_temp.outcome('check.example', 'refused', true), 'not_needed', 'a refusal that is remembered is not asked again');
select is(pg_temp.outcome('check.example', 'forgiven', true), 'granted', 'one that is over is');
select pg_temp.give_back('check.example');
select is(pg_temp.outcome('check.example', 'jumped', true), 'granted', 'and one that is remembered for longer than ever is void');

-- Back-off.
select pg_temp.host('backoff.example', '{a}', '{10}');
update refreshes set next_try_at = clock_timestamp() + interval '10 s' where host = 'backoff.example';
select is(pg_temp.outcome('backoff.example'), 'backoff', 'not before its end');
select ok(pg_temp.waits_until(host, next_try_at), 'and says how long') from refreshes where host = 'backoff.example';
select is(pg_temp.outcome('backoff.example', 'new', true), 'backoff', 'not for the check of a key either');
update refreshes set next_try_at = clock_timestamp() + interval '600 s' where host = 'backoff.example';
select is(pg_temp.outcome('backoff.example'), 'backoff', 'as long as the longest Retry-After');
update refreshes set next_try_at = clock_timestamp() + interval '1 hour' where host = 'backoff.example';
select is(pg_temp.outcome('backoff.example'), 'granted', 'one of an hour is void');
select pg_temp.give_back('backoff.example');
update refreshes set next_try_at = clock_timestamp() - interval '1 ms' where host = 'backoff.example';
select is(pg_temp.outcome('backoff.example'), 'granted', 'one that is over, too');

-- Rate budget: never more than 200 in a minute, here of 600 steps of 100 ms each.
select pg_temp.host('budget.example', '{a}', '{10}');
create function pg_temp.requests_in(p_host text, p_steps integer) returns integer language plpgsql as $$
declare
    granted integer := 0;
begin
    for step in 1..p_steps loop
        granted := granted + (pg_temp.outcome(p_host) = 'granted')::integer;
        update refreshes set token = null, lease_until = null, budget_tat = budget_tat - interval '100 ms' where host = p_host;
    end loop;
    return granted;
end $$;
create temporary table minutes as
    select pg_temp.requests_in('budget.example', 600) as first, pg_temp.requests_in('budget.example', 600) as second;
select cmp_ok(first, '<=', 200, 'the first minute, with its burst') from minutes;
select cmp_ok(first, '>=', 185, 'it is made use of') from minutes;
select cmp_ok(second, '<=', 185, 'a later minute, without one') from minutes;
select cmp_ok(second, '>=', 170, 'it is made use of') from minutes;
update refreshes set budget_tat = clock_timestamp() + interval '12 s' where host = 'budget.example';
select is(pg_temp.outcome('budget.example'), 'rate_limited', 'used up');
select ok(pg_temp.waits_until(host, budget_tat - interval '6 s'), 'and says how long') from refreshes where host = 'budget.example';
-- What the clock may not ask for now is not due now, or it would be claimed again and again.
select pg_temp.due('budget.example');
select is(pg_temp.outcome('budget.example'), 'rate_limited', 'for the clock too');
select is((select count(*) from due_hosts(10, '2 s', 'budget.example')), 0::bigint, 'so that the host is not due until then');
select is((select count(*) from due_hosts(10, '6 s', 'budget.example')), 1::bigint, 'but then it is');
update refreshes set budget_tat = clock_timestamp() + interval '1 hour' where host = 'budget.example';
select is(pg_temp.outcome('budget.example'), 'granted', 'an arrival in an hour is void');
select ok((select budget_tat < clock_timestamp() + interval '1 s' from refreshes where host = 'budget.example'), 'and starts anew');
select pg_temp.host('without-key.example', '{lone}', '{10}');
delete from apikeys where digest = pg_temp.key('lone');
select pg_temp.due('without-key.example');
select is(pg_temp.outcome('without-key.example'), 'no_key', 'a key that is accepted, but not stored, can''t be used');
select is((select count(*) from due_hosts(10, '50 s', 'without-key.example')), 0::bigint, 'and the host is not due for a minute');

-- Keys that are guessed.
select pg_temp.host('guess.example', '{a}', '{301}');
create function pg_temp.guesses(p_host text, p_count integer) returns claim_outcome[] language plpgsql as $$
declare
    outcomes claim_outcome[] := '{}';
begin
    for i in 1..p_count loop
        outcomes := outcomes || pg_temp.outcome(p_host, 'guess-' || i || random(), true);
        perform pg_temp.give_back(p_host);
    end loop;
    return outcomes;
end $$;
select is(pg_temp.guesses('guess.example', 12), array_fill('granted'::claim_outcome, '{10}') || '{bad_keys,bad_keys}'::claim_outcome[],
    'ten in a row, and no more');
select ok(wait_ms between 1 and 3000, 'and says how long') from pg_temp.claim('guess.example', 'x', true);
select is(pg_temp.outcome('guess.example', 'a', true), 'granted', 'who has a key is not held up by who guesses');
select pg_temp.give_back('guess.example');
select is(pg_temp.outcome('guess.example'), 'granted', 'nor is a refresh');
select pg_temp.give_back('guess.example');
update refreshes set bad_key_tat = bad_key_tat - interval '3 s' where host = 'guess.example';
select is(pg_temp.guesses('guess.example', 2), '{granted,bad_keys}'::claim_outcome[], 'then one every three seconds');
update refreshes set bad_key_tat = clock_timestamp() + interval '1 hour' where host = 'guess.example';
select is(pg_temp.outcome('guess.example', 'x', true), 'granted', 'an arrival in an hour is void');

-- That somebody asked.
select pg_temp.host('asked.example', '{a}', '{10}');
select pg_temp.snapshot('asked.example', '0 s');
update hosts set asked_at = clock_timestamp() - interval '1 day' where host = 'asked.example';
select is(pg_temp.outcome('asked.example'), 'not_needed', 'the collector asks');
select ok((select asked_at < clock_timestamp() - interval '1 hour' from hosts where host = 'asked.example'),
    'and is nobody');
select is(pg_temp.outcome('asked.example', 'a'), 'not_needed', 'somebody asks');
select ok((select asked_at > clock_timestamp() - interval '1 minute' from hosts where host = 'asked.example'),
    'and that is written down');
update hosts set asked_at = clock_timestamp() - interval '30 s' where host = 'asked.example';
select is(pg_temp.outcome('asked.example', 'a'), 'not_needed', 'somebody asks again');
select ok((select asked_at < clock_timestamp() - interval '29 s' from hosts where host = 'asked.example'),
    'which is written down once a minute');

-- Hosts that were invented.
insert into refreshes (host, is_accepted, created_at)
    select 'invented-' || i || '.example', false, clock_timestamp() - interval '61 minutes' from generate_series(1, 150) i;
insert into refreshes (host, is_accepted, created_at) values
    ('known-old.example', true, clock_timestamp() - interval '1 year'),
    ('recent.example', false, clock_timestamp() - interval '59 minutes');
select is(pg_temp.outcome('another.example'), 'no_key', 'one more of them');
select is((select count(*) from refreshes where host like 'invented-%'), 50::bigint, 'a hundred at a time are forgotten after an hour');
select is((select count(*) from refreshes where host in ('known-old.example', 'recent.example')), 2::bigint,
    'not those that are known, nor those of this hour');

select * from finish();
rollback;
