-- The states of a key for a host: the table of functions/refuse_key.sql, cell by cell.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create function pg_temp.key(p_key text) returns bytea language sql as $$ select sha256(convert_to(p_key, 'UTF8')) $$;
create function pg_temp.lease(p_host text) returns uuid language sql as $$
    insert into refreshes (host, token, lease_until) values (p_host, gen_random_uuid(), clock_timestamp() + interval '6 s')
    on conflict (host) do update set token = excluded.token, lease_until = excluded.lease_until
    returning token
$$;
create function pg_temp.list(p_key text) returns text language sql as $$
    select publish_refresh(
        p_host => 'a.example', p_token => pg_temp.lease('a.example'), p_digest => pg_temp.key(p_key), p_sealed => 'x',
        p_taken_at => clock_timestamp(), p_ttl_ms => 3000, p_row_limit => 100, p_text => '', p_paths => '{}', p_titles => '{}',
        p_sections => '{}', p_visitors => '{}', p_sources => '{}', p_rate_limit => null, p_rate_remaining => null, p_refused_rows => 0);
    select state::text from key_checks where host = 'a.example' and digest = pg_temp.key(p_key)
$$;
create function pg_temp.refusal(p_key text) returns text language sql as $$
    select refuse_key('a.example', pg_temp.lease('a.example'), pg_temp.key(p_key), 'status 403')::text
$$;
create function pg_temp.later(p_key text, p_by interval) returns void language sql as $$
    update key_checks set doubted_at = doubted_at - p_by, checked_at = checked_at - p_by, refused_until = refused_until - p_by
    where digest = pg_temp.key(p_key)
$$;
-- Of a key that has been doubted for just that long.
create function pg_temp.refusal_after(p_key text, p_doubted interval) returns text language plpgsql as $$
begin
    perform pg_temp.later(p_key, p_doubted - (clock_timestamp() - (select doubted_at from key_checks where digest = pg_temp.key(p_key))));
    return pg_temp.refusal(p_key);
end $$;
create function pg_temp.claim(p_key text default null, p_check boolean default false)
returns table (outcome claim_outcome, wait_ms integer, digest bytea) language sql as $$
    select c.outcome, c.wait_ms, c.digest from claim_refresh(
        p_host => 'a.example', p_digest => pg_temp.key(p_key), p_check => p_check, p_ttl_ms => 1, p_lease_ms => 6000,
        p_step_ms => 1, p_burst_ms => 6000, p_revocation_ms => 300000) c;
$$;
create function pg_temp.give_back() returns void language sql as $$ update refreshes set token = null, lease_until = null $$;

select is(pg_temp.refusal('new'), 'refused', 'unknown, refused');
select is(pg_temp.list('new'), 'accepted', 'refused, a list');
select is(pg_temp.list('a'), 'accepted', 'unknown, a list');
select is(pg_temp.list('a'), 'accepted', 'accepted, a list');
create temporary table before as select checked_at from key_checks where digest = pg_temp.key('a');
select is(pg_temp.refusal('a'), 'doubted', 'accepted, refused');
select is((select checked_at from key_checks where digest = pg_temp.key('a')), (select checked_at from before), 'it counts as checked when it was accepted');
select is((select count(*) from apikeys where digest = pg_temp.key('a')), 1::bigint, 'its sealed form is kept');
select is((select state from key_checks where digest = pg_temp.key('new')), 'accepted', 'another key is as it was');
select is((select next_try_at from refreshes where host = 'a.example'), null, 'and the host has no back-off');
select is(pg_temp.refusal('a'), 'doubted', 'doubted, refused at once');
select is(pg_temp.refusal_after('a', '4 s'), 'doubted', 'doubted, refused within 5 s');
select is(pg_temp.list('a'), 'accepted', 'doubted, a list');
select is((select refusals from key_checks where digest = pg_temp.key('a')), 0, 'and nothing is left of it');
select is(pg_temp.refusal('a'), 'doubted', 'doubted once more');
select pg_temp.later('a', '5 s');
select is(pg_temp.refusal('a'), 'refused', 'doubted, refused after 5 s');
select is((select count(*) from apikeys where digest = pg_temp.key('a')), 0::bigint, 'its sealed form is forgotten');
create temporary table again as select clock_timestamp() as at;
select is(pg_temp.refusal('a'), 'refused', 'refused, refused again');
select ok((select refused_until between again.at + interval '120 s' and clock_timestamp() + interval '120 s' from key_checks, again
           where digest = pg_temp.key('a')), 'for twice as long');
select is(refuse_key('a.example', gen_random_uuid(), pg_temp.key('new'), 'late'), null, 'without the lease');

-- What a claim makes of a doubted key.
select pg_temp.list('new');
select is(pg_temp.refusal('new'), 'doubted', 'the only key is doubted');
select results_eq($$ select outcome, wait_ms between 4000 and 5000 from pg_temp.claim() $$, $$ values ('backoff'::claim_outcome, true) $$,
    'nobody asks for 5 s');
select results_eq($$ select outcome, wait_ms between 4000 and 5000 from pg_temp.claim('new', true) $$, $$ values ('backoff'::claim_outcome, true) $$,
    'nor to check it');
select ok((select next_due_at between clock_timestamp() + interval '4 s' and clock_timestamp() + interval '1 minute' from refreshes),
    'and it is not due before');
select pg_temp.list('b');
select pg_temp.later('b', '1 s');
select is((select digest from pg_temp.claim()), pg_temp.key('b'), 'with another key the refresh goes on');
select pg_temp.give_back(), pg_temp.later('new', '5 s');
select is((select digest from pg_temp.claim()), pg_temp.key('new'), 'after 5 s the doubted key is checked first');
select is(pg_temp.refusal('new'), 'refused', 'and refused, or accepted again');

-- A key that fails without a refusal must not be taken each time.
select is(pg_temp.list('c'), 'accepted', 'another key');
create temporary table taken (digest bytea);
do $$ begin
    update refreshes set failures = 1;
    for i in 1..40 loop
        insert into taken select c.digest from pg_temp.claim() c;
        perform pg_temp.give_back();
    end loop;
end $$;
select is((select count(distinct digest) from taken), 2::bigint, 'after a failure each of the two is taken at some time');
delete from key_checks where digest = pg_temp.key('c');

-- When a host is due.
update refreshes set next_due_at = null;
select pg_temp.list('b');
update cache set taken_at = taken_at - interval '1 minute';
select pg_temp.list('b');
select ok((select next_due_at between clock_timestamp() and clock_timestamp() + interval '1 minute' from refreshes), 'every minute');
update hosts set asked_at = asked_at - interval '2 hours';
select ok((select next_due_at > clock_timestamp() from refreshes), 'nobody asked for two hours: within the hour');
update hosts set poll_every = '100 ms';
select is((select host from due_hosts(1, '200 ms')), 'a.example', 'its own interval');
select is((select host from due_hosts(1, '200 ms', 'a.example')), 'a.example', 'asked for by name');
select is_empty($$ select host from due_hosts(1, '200 ms', 'b.example') $$, 'another is not');
update cache set taken_at = taken_at - interval '1 minute';
select pg_temp.list('b');
select ok((select next_due_at >= taken_at + interval '3 s' from refreshes join cache using (host)), 'but never within the TTL');
update hosts set asked_at = asked_at - interval '31 days', poll_every = null;
select is((select next_due_at from refreshes), null, 'nobody asked for 31 days');
select is(asked('a.example'), true, 'somebody asks');
select is(asked('a.example'), false, 'which is written down once a minute');
select ok((select next_due_at < clock_timestamp() + interval '1 minute' from refreshes), 'and it is due within the minute');
update refreshes set next_due_at = clock_timestamp() + interval '3 hours';
select is((select host from due_hosts(1)), 'a.example', 'due in three hours: the clock has jumped');
select pg_temp.refusal('b'), pg_temp.later('b', '5 s');
select is(pg_temp.refusal('b'), 'refused', 'its last key is refused');
select is((select next_due_at from refreshes), null, 'without a key it is left alone');

select * from finish();
rollback;
