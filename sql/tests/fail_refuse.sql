-- Chartbeat could not be asked, or did not take the key: back-off, refusals that are remembered, and what is purged.
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

create function pg_temp.fail(p_host text, p_retry_after_ms integer default 0) returns integer language sql as $$
    select fail_refresh(p_host => p_host, p_token => pg_temp.lease(p_host), p_error => 'status 503', p_retry_after_ms => p_retry_after_ms)
$$;

-- 2, 4, 8 … seconds, a quarter more or less, at most 60; tried 20 times each, since there is chance in it.
create function pg_temp.waits(p_failures integer) returns setof integer language plpgsql as $$
begin
    for i in 1..20 loop
        perform pg_temp.lease('a.example');
        update refreshes set failures = p_failures, next_try_at = null where host = 'a.example';
        return next pg_temp.fail('a.example');
    end loop;
end $$;
select ok(min(w) >= least(60, 2 ^ least(f + 1, 6)) * 740 and max(w) <= least(60, 2 ^ least(f + 1, 6) * 1.25) * 1000 + 1,
        format('after %s failures: %s to %s ms', f, min(w), max(w)))
    from generate_series(0, 8) f, pg_temp.waits(f) w group by f order by f;
select ok(count(distinct w) > 10, 'there is chance in it') from pg_temp.waits(3) w;

update refreshes set failures = 0 where host = 'a.example';
select ok(w between 29900 and 30000, 'Retry-After') from pg_temp.fail('a.example', 30000) w;
select ok(w between 1500 and 5000, 'a short Retry-After does not shorten the back-off') from pg_temp.fail('a.example', 1) w;
select ok(w between 599000 and 600000, 'an absurd one is clamped') from pg_temp.fail('a.example', 2147483647) w;
select ok(w > 0, 'one below 0 is none') from pg_temp.fail('a.example', -2147483648) w;
select results_eq($$ select failures, token, lease_until, last_error from refreshes where host = 'a.example' $$,
    $$ values (4, null::uuid, null::timestamptz, 'status 503'::text) $$, 'failures are counted, the lease is given back, the reason is kept');
select ok((select last_error_at > clock_timestamp() - interval '1 minute' from refreshes where host = 'a.example'), 'with its time');
update refreshes set failures = 1001 where host = 'a.example';
select pg_temp.fail('a.example');
select is((select failures from refreshes where host = 'a.example'), 1001, 'failures do not grow for ever');

select is(fail_refresh(p_host => 'a.example', p_token => gen_random_uuid(), p_error => 'late', p_retry_after_ms => 0), 0,
    'without the lease');
select isnt((select last_error from refreshes where host = 'a.example'), 'late', 'nothing is changed');
select pg_temp.lease('a.example');
select is(fail_refresh(p_host => 'a.example', p_token => gen_random_uuid(), p_error => 'late', p_retry_after_ms => 0), 0,
    'while another has it');
select isnt((select token from refreshes where host = 'a.example'), null, 'it keeps it');
select is(fail_refresh(p_host => 'nobody.example', p_token => gen_random_uuid(), p_error => 'x', p_retry_after_ms => 0), 0,
    'for a host that is not there');

-- Refusals.
-- Seconds, in whole minutes: however late we look.
create function pg_temp.refuse(p_host text, p_key text) returns numeric language plpgsql as $$
declare
    before constant timestamptz := clock_timestamp();
begin
    perform refuse_key(p_host => p_host, p_token => pg_temp.lease(p_host), p_digest => pg_temp.key(p_key), p_error => 'status 401');
    return (select 60 * floor(extract(epoch from refused_until - before) / 60) from key_checks
            where host = p_host and digest = pg_temp.key(p_key));
end $$;
create function pg_temp.refuse_often(p_count integer) returns numeric[] language plpgsql as $$
declare
    seconds numeric[] := '{}';
begin
    for i in 1..p_count loop
        seconds := seconds || pg_temp.refuse('b.example', 'bad');
    end loop;
    return seconds;
end $$;
select is(pg_temp.refuse_often(7), '{60,120,240,480,600,600,600}'::numeric[], '60 s, doubled at each refusal up to 10 minutes');
select results_eq($$ select token, lease_until, next_try_at, failures, last_error from refreshes where host = 'b.example' $$,
    $$ values (null::uuid, null::timestamptz, null::timestamptz, 0, 'status 401'::text) $$,
    'the lease is given back without back-off: other keys may do');
update key_checks set refusals = 2147483647 where host = 'b.example';
select is(pg_temp.refuse('b.example', 'bad'), 600::numeric, 'refusals do not overflow');

-- The sealed key goes when no host takes it any more.
insert into hosts (host) values ('b.example'), ('c.example');
insert into apikeys (digest, sealed) values (pg_temp.key('shared'), 'x'), (pg_temp.key('other'), 'x');
insert into key_checks (host, digest, state, checked_at)
    select h, pg_temp.key('shared'), 'accepted', clock_timestamp() from unnest('{b.example,c.example}'::text[]) h;
create function pg_temp.revoke(p_host text, p_key text) returns numeric language sql as $$
    select pg_temp.refuse(p_host, p_key);
    update key_checks set doubted_at = doubted_at - interval '5 s' where host = p_host and digest = pg_temp.key(p_key);
    select pg_temp.refuse(p_host, p_key)
$$;
select is(pg_temp.revoke('b.example', 'shared'), 60::numeric, 'revoked for one host of two');
select is((select state from key_checks where host = 'b.example' and digest = pg_temp.key('shared')), 'refused', 'there it is refused');
select is((select count(*) from apikeys where digest = pg_temp.key('shared')), 1::bigint, 'the other still needs it');
select is(pg_temp.revoke('c.example', 'shared'), 60::numeric, 'revoked for the other');
select is((select count(*) from apikeys where digest = pg_temp.key('shared')), 0::bigint, 'it is forgotten');
select is((select count(*) from apikeys where digest = pg_temp.key('other')), 1::bigint, 'others are not');

-- Without the lease nothing is refused: the answer is old.
insert into key_checks (host, digest, state, checked_at) values ('b.example', pg_temp.key('good'), 'accepted', clock_timestamp());
select lives_ok($$ select refuse_key(p_host => 'b.example', p_token => gen_random_uuid(), p_digest => pg_temp.key('good'), p_error => 'late') $$,
    'without the lease');
select is((select state from key_checks where digest = pg_temp.key('good')), 'accepted', 'the key is accepted still');

-- Purge.
insert into key_checks (host, digest, state, checked_at, refused_until)
    select 'd.example', pg_temp.key(i::text), 'refused', clock_timestamp(), clock_timestamp() - interval '11 minutes' from generate_series(1, 150) i;
insert into key_checks (host, digest, state, checked_at, refused_until)
    values ('d.example', pg_temp.key('recent'), 'refused', clock_timestamp(), clock_timestamp() - interval '9 minutes');
select is(pg_temp.refuse('b.example', 'bad'), 600::numeric, 'one more refusal');
select is((select count(*) from key_checks where host = 'd.example' and digest <> pg_temp.key('recent')), 50::bigint,
    'refusals that are long over are forgotten, a hundred at a time');
select is((select count(*) from key_checks where digest = pg_temp.key('recent')), 1::bigint, 'not those that are just over');
select is((select count(*) from key_checks where digest = pg_temp.key('good')), 1::bigint, 'and no key that is accepted');

select * from finish();
rollback;
