-- Turns the tables of the release whose newest file was 009 into those of 010_tables.sql; called by that file. Nothing is copied: a
-- rename, and columns that are added, so that it takes milliseconds however long the history is.

do $$ begin
    if (select array_agg(left(checksum, 8) order by version) from schema_migrations where version < 10) is distinct from array[
        '778ba596', 'ba4ac11c', '00a6daab', '675a0f99', '5f2c8bf8',
        '60bf2edf', 'a493f11e', 'fd45b826', 'd67a0e31'] then
        raise exception 'This database is not at version 009, or was changed by hand: migrate with the release before this one first.';
    end if;
end $$;

drop view host_status, increasing_now, snapshot_pages, apikey_hosts, page_minutes, page_quarters, headlines, storage_use;
drop function claim_refill, publish_refill, fail_refill, refuse_key, due_hosts, key_hosts, drop_partitions, maintain_history;

-- Chartbeat's site IDs may have a name in front: video@news.example.
alter table hosts drop constraint hosts_host_check, add check (host ~ '^([a-z0-9._-]{1,63}@)?[a-z0-9.-]{1,253}$' and length(host) <= 253);

create type key_state as enum ('accepted', 'doubted', 'refused');
create type claim_outcome as enum ('granted', 'not_needed', 'held', 'backoff', 'rate_limited', 'bad_keys', 'no_key');

drop index key_checks_next, key_checks_expired, key_checks_digest;
alter table key_checks add column state key_state, add column doubted_at timestamptz;
update key_checks set state = case when accepted then 'accepted' else 'refused' end::key_state;
alter table key_checks
    drop column accepted,
    alter column state set not null,
    add check ((state = 'doubted') = (doubted_at is not null));
create index key_checks_next on key_checks (host, checked_at) where state <> 'refused';
create index key_checks_expired on key_checks (refused_until) where state = 'refused';
create index key_checks_digest on key_checks (digest) where state <> 'refused';

alter table refills rename to refreshes;
alter table refreshes rename constraint refills_pkey to refreshes_pkey;
alter index refills_unknown rename to refreshes_unknown;
alter table refreshes rename column known to is_accepted;
alter table refreshes rename column tat to budget_tat;
alter table refreshes rename column check_tat to bad_key_tat;
alter table refreshes add column next_due_at timestamptz;
create index refreshes_due on refreshes (next_due_at) where next_due_at is not null;
-- Every host is due at once, and each is put at its own time when it is published.
update refreshes set next_due_at = '-infinity' where is_accepted;

-- What the older files left unsaid: the compression of packed counts, and of the default partitions. It holds for rows to come.
alter table snapshots alter sources set default '{""}', alter visitors set compression pglz, alter sources set compression pglz;
do $$ declare part regclass; col text; begin
    for part in select inhrelid from pg_inherits where inhparent = 'snapshots'::regclass loop
        execute format('alter table %s alter sources set default ''{""}''', part);
    end loop;
    for part, col in
        select i.inhrelid, a.attname from pg_inherits i join pg_attribute a on a.attrelid = i.inhparent
        where i.inhparent in ('snapshots'::regclass, 'minutes'::regclass, 'quarters'::regclass) and a.attcompression = 'p'
    loop
        execute format('alter table %s alter %I set compression pglz', part, col);
    end loop;
end $$;

-- Each program has a role of its own now, see rights.sql.
do $$ declare one text; begin
    if not exists (select from pg_roles where rolname = 'upbeat_app') then
        return;
    end if;
    for one in
        select 'table ' || oid::regclass from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and pg_has_role(relowner, 'usage')
        union all
        select 'function ' || oid::regprocedure from pg_proc
        where pronamespace = 'public'::regnamespace and pg_has_role(proowner, 'usage')
    loop
        execute format('revoke all on %s from upbeat_app', one);
    end loop;
    begin
        drop role upbeat_app;
    exception when insufficient_privilege or dependent_objects_still_exist then
        raise notice 'The role upbeat_app is not used any more and may be dropped.';
    end;
end $$;
