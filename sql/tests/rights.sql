-- The rights of the programs: the catalogue against a list, then for real; and that everything is described.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

-- What is ours, not an extension's. Partitions are read through their tables.
create temporary view relations as
    select c.oid, c.relname::text as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');
create temporary view functions as
    select p.oid, p.proname::text as name, p.prosecdef, p.proconfig, p.proacl, p.proowner from pg_proc p
    where p.pronamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e');

select cmp_ok(count(*), '>=', 20::bigint, 'there is something to look at') from relations;
select is_empty($$ select name from relations where obj_description(oid, 'pg_class') is null $$, 'each table and view has a comment');
select is_empty($$ select name, attname from relations join pg_attribute on attrelid = relations.oid
                   where attnum > 0 and not attisdropped and col_description(relations.oid, attnum) is null $$, 'each column has one');
select is_empty($$ select name from functions where obj_description(oid, 'pg_proc') is null $$, 'each function has one');

select lives_ok(pg_get_functiondef(oid), name || ' is sound, which sql/migrate does not check') from functions;

-- Of each role all that it may do, by the catalogue: table:right, table.column:right or function().
create function pg_temp.rights(p_role text) returns setof text language sql as $$
    select name || ':' || r from relations, unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) r
    where has_table_privilege(p_role, oid, r)
    union
    select name || '.' || attname || ':' || r from relations join pg_attribute on attrelid = relations.oid,
        unnest('{select,insert,update,references}'::text[]) r
    where attnum > 0 and not attisdropped and has_column_privilege(p_role, relations.oid, attnum, r)
      and not has_table_privilege(p_role, relations.oid, r)
    union
    select name || '()' from functions where has_function_privilege(p_role, oid, 'execute')
$$;
create function pg_temp.words(p_text text) returns setof text language sql as $$ select regexp_split_to_table(btrim(p_text, E' \n'), '\s+') $$;

select set_eq($$ select pg_temp.rights('upbeat_worker') $$, $$ select pg_temp.words('
    schema_migrations:select schema_repeatables:select hosts:select key_checks:select cache:select pages:select titles:select snapshots:select minutes:select quarters:select
    events:select access_tokens:select
    refreshes.host:select refreshes.failures:select refreshes.last_error:select refreshes.last_error_at:select refreshes.next_try_at:select
    refreshes.next_due_at:select
    bound() count_at() first_seen() headline_changes() host_events() is_time_zone() key_hosts() left_alone() local_text() minute_means() minute_totals() page_history()
    page_hours() page_means() page_number() page_profile() page_samples() page_slots() page_sources() page_usual() pages_at() poll_interval() refusal_holds() service_metrics() sum_counts() trend_pages() trend_window()
    unpack_counts() usual_days() usual_of() utc_text() zone_of()') $$, 'upbeat_worker reads');
select set_eq($$ select pg_temp.rights('upbeat_fetch') $$, $$ select pg_temp.words('
    schema_migrations:select cache:select key_checks:select apikeys:select apikeys.sealed:update
    channels.name:select channels.sealed_address:select channels.sealed_secret:select channels.sealed_old_secret:select
    channels.sealed_address:update channels.sealed_secret:update channels.sealed_old_secret:update
    refreshes.host:select refreshes.failures:select refreshes.last_error:select refreshes.last_error_at:select refreshes.next_try_at:select
    refreshes.next_due_at:select refreshes.lease_until:select
    claim_refresh() publish_refresh() fail_refresh() refuse_key() asked() due_hosts() bound() refusal_holds() count_token()') $$, 'upbeat_fetch refreshes');
select set_eq($$ select pg_temp.rights('upbeat_history') $$, $$ select pg_temp.words('
    schema_migrations:select roll_up() maintain_history() forget_pages()') $$, 'upbeat_history keeps the history');
select set_eq($$ select pg_temp.rights('upbeat_token') $$, $$ select pg_temp.words('
    schema_migrations:select tokens:select add_token() revoke_token() rotate_token() remove_keys()') $$, 'upbeat_token keeps the tokens');
select set_eq($$ select pg_temp.rights('upbeat_alert') $$, $$ select pg_temp.words('
    schema_migrations:select hosts:select cache:select pages:select titles:select snapshots:select quarters:select events:select
    event_progress:select refreshes.host:select refreshes.failures:select alert_channels:select alert_rules:select alert_silences:select
    deliveries:select add_alert_channel() remove_alert_channel() enable_alert_channel() rotate_alert_secret() test_alert_channel() add_alert_rule()
    remove_alert_rule() add_alert_silence() rule_matches() try_alert_rule() gather_alerts() claim_deliveries() finish_delivery() delivery_events() keep_alert_hosts() forget_deliveries()
    event_hosts() event_records() event_samples() first_seen() is_time_zone() page_number() page_usual() record_events() unpack_counts() usual_days() usual_of() zone_of()') $$, 'upbeat_alert looks for events');
select is_empty($$ select pg_temp.rights('public') $$, 'nobody else may do anything');
select is_empty($$ select rolname from pg_roles where rolname in ('upbeat_worker', 'upbeat_fetch', 'upbeat_history', 'upbeat_alert', 'upbeat_token')
                   and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls) $$, 'the roles are nothing special');
select is_empty($$ select name from relations join pg_class using (oid)
                   where pg_get_userbyid(relowner) in ('upbeat_worker', 'upbeat_fetch', 'upbeat_history', 'upbeat_alert', 'upbeat_token') $$, 'they own nothing');
select is_empty($$ select name from functions where prosecdef and not coalesce(proconfig::text like '%search_path=pg_catalog, public, pg_temp%', false) $$,
    'a function with its owner''s rights has its own search path');

-- For real, not by the catalogue.
insert into hosts (host) values ('a.example');
create function pg_temp.refused(p_role text, p_statement text) returns text language plpgsql as $$
begin
    execute format('set local role %I', p_role);
    return throws_ok(p_statement, '42501', null, p_role || ' may not: ' || p_statement);
end $$;
grant usage on schema public to public;
select pg_temp.refused(role, statement) from unnest('{upbeat_worker,upbeat_fetch,upbeat_history,upbeat_alert,upbeat_token}'::text[]) role, unnest(array[
    'create table public.mine (a integer)', 'create schema mine', 'drop table snapshots', 'alter table hosts add column a integer',
    'delete from snapshots', 'insert into cache (host, taken_at, pages) values (''b'', now(), '''')', 'update hosts set poll_every = ''1 s''',
    'delete from pages', 'delete from key_checks', 'truncate refreshes', 'update refreshes set token = null',
    'insert into schema_migrations (version, name, checksum) values (999, ''x'', ''x'')', 'copy (select 1) to program ''true''',
    'update access_tokens set revoked_at = null',
    'select set_next_due(''a.example'')', 'select pack_counts(''{1}'')']) statement;
reset role;

set local role upbeat_fetch;
create temporary table lease as select * from claim_refresh(p_host => 'a.example', p_digest => sha256('k'), p_check => true,
    p_ttl_ms => 3000, p_lease_ms => 6000, p_step_ms => 334, p_burst_ms => 6000, p_revocation_ms => 300000);
select is((select outcome from lease), 'granted', 'upbeat_fetch claims');
select is(publish_refresh(p_host => 'a.example', p_token => (select token from lease),
    p_digest => sha256('k'), p_sealed => 'x', p_taken_at => clock_timestamp(), p_ttl_ms => 3000, p_row_limit => 100,
    p_text => '', p_paths => '{/}', p_titles => '{t}', p_sections => '{s}', p_visitors => '{1}', p_sources => '{}',
    p_rate_limit => null, p_rate_remaining => null, p_refused_rows => 0), true, 'it publishes');
select lives_ok($$ select fail_refresh(p_host => 'a.example', p_token => gen_random_uuid(), p_error => 'x', p_retry_after_ms => 0) $$, 'it fails');
select lives_ok($$ select refuse_key(p_host => 'a.example', p_token => gen_random_uuid(), p_digest => sha256('k'), p_error => 'x') $$, 'it refuses');
select is(asked('a.example'), false, 'it notes that somebody asked');
select lives_ok($$ select * from due_hosts(10) $$, 'it looks at what is due');
select lives_ok($$ update apikeys set sealed = 'y' where digest = sha256('k') $$, 'it seals anew');
reset role;

set local role upbeat_worker;
select lives_ok($$ select * from trend_window('a.example', now(), interval '30 minutes', interval '2 minutes') $$, 'upbeat_worker reads a window');
select lives_ok($$ select * from trend_pages('{1}') $$, 'and its pages');
select lives_ok($$ select * from unnest('{1 minute,15 minutes}'::interval[]) s cross join unnest('{/,null}'::text[]) p
                   cross join page_history('a.example', p, now() - interval '1 hour', now(), s) $$, 'a history');
select lives_ok($$ select * from page_sources('a.example', '/', now() - interval '1 hour', now(), '1 minute') $$, 'where visitors came from');
select lives_ok($$ select * from headline_changes('a.example', null, now() - interval '1 hour', now()) $$, 'headlines');
select lives_ok($$ select * from page_hours('a.example', null, now() - interval '1 hour', now(), 'UTC'), page_profile('a.example', null, 28, 'UTC') $$, 'hours');
select lives_ok($$ select * from page_usual('a.example', '/', 'UTC'), pages_at('a.example', now()), key_hosts(sha256('k')) $$, 'and the rest');
select lives_ok($$ select zone_of('a.example', null), utc_text(now()), local_text(now(), 'UTC') $$, 'with their words');
reset role;

set local role upbeat_history;
select lives_ok($$ select roll_up(1), maintain_history(24, 14, 13), forget_pages(24, 14, 13, 1) $$, 'upbeat_history does its work');
reset role;

set local role upbeat_alert;
select is(record_events('a.example', null, now(), '[]'), true, 'upbeat_alert records');
select lives_ok($$ select * from event_hosts(), event_samples('a.example', '-infinity', now()) $$, 'and reads');
select lives_ok($$ select * from page_usual('a.example', null, zone_of('a.example', null)) $$, 'and knows what is usual');
reset role;

select * from finish();
rollback;
