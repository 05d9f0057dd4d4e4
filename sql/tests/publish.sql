-- Chartbeat answered: what is stored, what is not stored twice, and what comes too late.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create function pg_temp.key(p_key text) returns bytea language sql as $$ select sha256(convert_to(p_key, 'UTF8')) $$;

create function pg_temp.claim(p_host text, p_key text) returns uuid language sql as $$
    select token from claim_refresh(
        p_host => p_host, p_digest => pg_temp.key(p_key), p_check => true,
        p_ttl_ms => 3000, p_lease_ms => 6000, p_step_ms => 1, p_burst_ms => 6000, p_revocation_ms => 300000)
$$;

create function pg_temp.publish(
    p_host text, p_token uuid, p_at timestamptz, p_paths text[], p_titles text[], p_visitors integer[],
    p_key text default 'key', p_is_new boolean default true, p_sections text[] default null, p_sources integer[] default '{}')
returns boolean language sql as $$
    select publish_refresh(
        p_host => p_host, p_token => p_token, p_digest => pg_temp.key(p_key),
        p_sealed => case when p_is_new then convert_to('sealed ' || p_key, 'UTF8') end,
        p_taken_at => p_at, p_ttl_ms => 3000, p_row_limit => 100, p_text => array_to_string(p_paths, ' '),
        p_paths => p_paths, p_titles => p_titles,
        p_sections => coalesce(p_sections, array_fill(''::text, array[cardinality(p_paths)])),
        p_visitors => p_visitors, p_sources => p_sources,
        p_rate_limit => 200, p_rate_remaining => 199, p_refused_rows => 2)
$$;

create temporary table at as select clock_timestamp() - interval '1 minute' as t;

-- The first snapshot.
create temporary table lease as select pg_temp.claim('a.example', 'key') as token;
update refreshes set failures = 3, next_try_at = clock_timestamp() + interval '1 s' where host = 'a.example';
select is(pg_temp.publish('a.example', lease.token, at.t, '{/,/b}', '{Front,Bee}', '{9,4}',
        p_sections => array['news' || chr(31) || 'sport', ''], p_sources => '{1,2,3,4,5,0,0,0,0,4}'), true, 'stored')
    from lease, at;
select is((select count(*) from hosts where host = 'a.example'), 1::bigint, 'the host');
select results_eq($$ select digest, sealed from apikeys $$, $$ values (pg_temp.key('key'), convert_to('sealed key', 'UTF8')) $$, 'the key');
select results_eq($$ select host, state, checked_at from key_checks $$, $$ select 'a.example'::text, 'accepted'::key_state, t from at $$, 'its state');
select results_eq($$ select taken_at, pages, previous_at, previous_pages, rate_limit, rate_remaining from cache $$,
    $$ select t, '/ /b'::text, null::timestamptz, null::text, 200, 199 from at $$, 'the cache row, with nothing before it');
select results_eq($$ select path, title, sections from pages order by path $$,
    $$ values ('/'::text, 'Front'::text, '{news,sport}'::text[]), ('/b', 'Bee', '{}') $$, 'the pages, with their sections');
select results_eq($$ select taken_at, row_limit, unpack_counts(visitors), unpack_counts(sources) from snapshots $$,
    $$ select t, 100, '{9,4}'::integer[], '{1,2,3,4,5,0,0,0,0,4}'::integer[] from at $$, 'the snapshot');
select results_eq($$ select p.path from snapshots s cross join unnest(s.page_ids) with ordinality n (id, rank)
                     join pages p on p.page_id = n.id order by n.rank $$, $$ values ('/'::text), ('/b') $$, 'its pages in their order');
select results_eq($$ select is_accepted, token, lease_until, next_try_at, failures, refused_rows from refreshes where host = 'a.example' $$,
    $$ values (true, null::uuid, null::timestamptz, null::timestamptz, 0, 2::bigint) $$, 'the lease is given back, and the back-off is over');

-- The same again: a call that failed may have committed.
create temporary table before as
    select (select jsonb_agg(to_jsonb(c)) from cache c) as cache, (select jsonb_agg(to_jsonb(s)) from snapshots s) as snapshots,
           (select jsonb_agg(to_jsonb(n)) from titles n) as titles, (select jsonb_agg(to_jsonb(r) order by r.host) from refreshes r) as refreshes;
select is(pg_temp.publish('a.example', lease.token, at.t, '{/,/b}', '{Front,Bee}', '{9,4}'), false, 'the same again') from lease, at;
select results_eq($$ select (select jsonb_agg(to_jsonb(c)) from cache c), (select jsonb_agg(to_jsonb(s)) from snapshots s),
                            (select jsonb_agg(to_jsonb(n)) from titles n), (select jsonb_agg(to_jsonb(r) order by r.host) from refreshes r) $$,
    $$ select cache, snapshots, titles, refreshes from before $$, 'changes nothing');

-- The next one.
update lease set token = pg_temp.claim('a.example', 'second-key');
select is(pg_temp.publish('a.example', lease.token, at.t + interval '4 s', '{/b,/c,/}', '{Bee,"Sea",New Front}', '{7,5,1}',
        p_key => 'second-key', p_sections => '{late,"",""}'), true, 'the next one') from lease, at;
select results_eq($$ select taken_at, pages, previous_at, previous_pages from cache $$,
    $$ select t + interval '4 s', '/b /c /'::text, t, '/ /b'::text from at $$, 'what was newest is what was before');
select is((select count(*) from apikeys), 2::bigint, 'a second key');
select results_eq($$ select path, title from pages order by path $$,
    $$ values ('/'::text, 'New Front'::text), ('/b', 'Bee'), ('/c', 'Sea') $$, 'a new page, and a new title');
select results_eq($$ select path, sections from pages order by path $$,
    $$ values ('/'::text, '{}'::text[]), ('/b', '{late}'), ('/c', '{}') $$, 'sections as last seen');
select results_eq($$ select path, l.title, since from titles l join pages using (page_id) order by path, since $$,
    $$ select x.path, x.title, t + x.later from at cross join (values ('/'::text, 'Front'::text, interval '0 s'),
       ('/', 'New Front', '4 s'), ('/b', 'Bee', '0 s'), ('/c', 'Sea', '4 s')) x (path, title, later) $$, 'titles with the time from which they held');

-- A key that is known needs no sealed form, and keeps the one it has.
update lease set token = null;
update key_checks set checked_at = checked_at - interval '1 hour';
update lease set token = pg_temp.claim('a.example', 'key');
select is(pg_temp.publish('a.example', lease.token, at.t + interval '8 s', '{}', '{}', '{}', p_is_new => false), true, 'an empty snapshot is one')
    from lease, at;
select is((select pages from cache), '', 'the site is quiet');
select is((select cardinality(unpack_counts(visitors)) from snapshots, at where taken_at = t + interval '8 s'), 0, 'and nobody is there');
select is((select sealed from apikeys where digest = pg_temp.key('key')), convert_to('sealed key', 'UTF8'), 'the key is as it was');

-- Within the TTL.
select is(pg_temp.publish('a.example', gen_random_uuid(), at.t + interval '10 s', '{/}', '{x}', '{1}', p_key => 'third-key'), false,
    'within the TTL there is no new snapshot') from at;
select is((select state from key_checks where digest = pg_temp.key('third-key')), 'accepted', 'but the key is accepted');
select is((select taken_at from cache), (select t + interval '8 s' from at), 'the cache row is as it was');
select is((select count(*) from snapshots), 3::bigint, 'and so are the snapshots');

-- Late.
update lease set token = pg_temp.claim('a.example', 'fourth-key');
select is(pg_temp.publish('a.example', gen_random_uuid(), at.t + interval '5 s', '{/}', '{x}', '{1}', p_key => 'late-key'), false,
    'an older answer without the lease is too late') from at;
select is((select count(*) from key_checks where digest = pg_temp.key('late-key')), 0::bigint, 'and says nothing of its key');
select is(pg_temp.publish('a.example', gen_random_uuid(), at.t + interval '20 s', '{/}', '{x}', '{1}'), true,
    'a newer one is welcome') from at;
select is((select token from refreshes where host = 'a.example'), (select token from lease), 'it does not take the lease from who has it');

-- The clock has jumped back since the last snapshot.
update cache set taken_at = clock_timestamp() + interval '1 hour' where host = 'a.example';
select is(pg_temp.publish('a.example', lease.token, at.t + interval '30 s', '{/}', '{x}', '{2}'), true, 'with the lease: stored') from lease, at;
select is((select taken_at from cache), (select t + interval '30 s' from at), 'the time is that of the clock again');

-- What the tables refuse.
update lease set token = pg_temp.claim('b.example', 'key');
select throws_ok($$ select pg_temp.publish('b.example', token, now(), '{/,/b}', '{x,y}', '{1}') from lease $$, '23514', null,
    'as many visitors as pages');
select throws_ok($$ insert into hosts (host) values ('A.example') $$, '23514', null, 'hosts are in lower case');
select throws_ok($$ insert into apikeys (digest, sealed) values ('\x00', '\x00') $$, '23514', null, 'digests have 32 bytes');

select * from finish();
rollback;
