-- What the programs' role may do, and that everything is described.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

-- The relations that are ours, not those of an extension.
create temporary view ours as
    select c.oid, c.relname, c.relkind from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');

select cmp_ok(count(*), '>=', 14::bigint, 'there is something to look at') from ours;
select is_empty($$ select relname from ours where obj_description(oid, 'pg_class') is null $$, 'each table and view has a comment');
select is_empty($$ select relname, attname from ours join pg_attribute on attrelid = oid
                   where attnum > 0 and not attisdropped and col_description(oid, attnum) is null $$, 'each column has one');
select is_empty($$ select proname from pg_proc p where pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') is null
                   and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') $$, 'each function has one');

select is((select array[rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls] from pg_roles where rolname = 'upbeat_app'),
    '{f,f,f,f,f}', 'upbeat_app is nothing special');
select is_empty($$ select relname from ours where pg_has_role('upbeat_app', (select relowner from pg_class where pg_class.oid = ours.oid), 'usage') $$,
    'it owns nothing');
select is_empty($$ select relname from ours where has_table_privilege('upbeat_app', oid, 'truncate, trigger, references') $$,
    'it empties no table');
select results_eq($$ select relname::text collate "default" from ours where has_table_privilege('upbeat_app', oid, 'delete') order by 1 $$,
    $$ values ('apikeys'), ('key_checks'), ('refills') $$, 'it deletes only what may be forgotten');

-- For real, not by the catalogue.
insert into hosts (host) values ('a.example');
insert into snapshots (host, taken_at, row_limit, page_ids, visitors) values ('a.example', now(), 100, '{}', pack_counts('{}'));
grant usage on schema public to upbeat_app;
set local role upbeat_app;
select throws_ok($$ create table mine (a integer) $$, '42501', null, 'it makes no table');
select throws_ok($$ create schema mine $$, '42501', null, 'and no schema');
select throws_ok($$ create function public.mine() returns integer language sql as 'select 1' $$, '42501', null, 'and no function');
select throws_ok($$ drop table snapshots $$, '42501', null, 'it drops none');
select throws_ok($$ alter table hosts add column a integer $$, '42501', null, 'it alters none');
select throws_ok($$ delete from snapshots $$, '42501', null, 'it deletes no snapshot');
select throws_ok($$ update snapshots set visitors = '{}' $$, '42501', null, 'it changes no snapshot');
select throws_ok($$ delete from hosts $$, '42501', null, 'it deletes no host');
select throws_ok($$ delete from pages $$, '42501', null, 'and no page');
select throws_ok($$ delete from cache $$, '42501', null, 'and no cache row');
select throws_ok($$ truncate refills $$, '42501', null, 'it truncates nothing');
select throws_ok($$ update hosts set host = 'b.example' $$, '42501', null, 'it renames no host');
select throws_ok($$ insert into schema_migrations (version, name, checksum) values (999, 'x', 'x') $$, '42501', null, 'it migrates nothing');
select throws_ok($$ copy (select 1) to program 'true' $$, '42501', null, 'it starts no program');

-- It may do all that the programs do.
select lives_ok($$ select * from claim_refill(p_host => 'a.example', p_digest => sha256('k'), p_check => true,
    p_ttl_ms => 3000, p_lease_ms => 6000, p_step_ms => 334, p_burst_ms => 6000) $$, 'it claims');
select lives_ok($$ select publish_refill(p_host => 'a.example', p_token => (select token from refills where host = 'a.example'),
    p_digest => sha256('k'), p_sealed => 'x', p_taken_at => clock_timestamp(), p_ttl_ms => 3000, p_row_limit => 100,
    p_text => '', p_paths => '{/}', p_titles => '{t}', p_sections => '{s}', p_visitors => '{1}', p_sources => '{}',
    p_rate_limit => null, p_rate_remaining => null, p_refused_rows => 0) $$, 'it publishes');
select lives_ok($$ select fail_refill(p_host => 'a.example', p_token => gen_random_uuid(), p_error => 'x', p_retry_after_ms => 0) $$, 'it fails');
select lives_ok($$ select refuse_key(p_host => 'a.example', p_token => gen_random_uuid(), p_digest => sha256('k'), p_error => 'x') $$, 'it refuses');
select lives_ok($$ select count(*) from host_status, increasing_now, snapshot_pages, apikey_hosts $$, 'it looks at the views');
select lives_ok($$ select * from trend_window('a.example', now(), interval '30 minutes', interval '2 minutes') $$, 'it reads a window');
select lives_ok($$ select max(version) from schema_migrations $$, 'it sees how far the database is migrated');
reset role;
select is_empty($$ select proname from pg_proc p where proname in ('claim_refill', 'publish_refill', 'fail_refill', 'refuse_key')
    and exists (select from aclexplode(p.proacl) where grantee = 0) $$, 'nobody else may call the functions');

select * from finish();
rollback;
