-- The tables. Times are of the database's clock; visitors are concurrents (people on a page at the same moment).
-- An installation of the release before this one has its tables altered by from_009.sql in place of this file's create table:
-- both end in the same schema, which tests/test_migrations.py compares.

select exists (select from schema_migrations where version < 10) as has_older_tables \gset
\if :has_older_tables
\ir from_009.sql
\else

\ir functions/is_time_zone.sql

create type key_state as enum ('accepted', 'doubted', 'refused');
create type claim_outcome as enum ('granted', 'not_needed', 'held', 'backoff', 'rate_limited', 'bad_keys', 'no_key');

create table hosts (
    host       text        primary key check (host ~ '^([a-z0-9._-]{1,63}@)?[a-z0-9.-]{1,253}$' and length(host) <= 253),
    created_at timestamptz not null default clock_timestamp(),
    asked_at   timestamptz not null default clock_timestamp(),
    poll_every interval    check (poll_every between '100 ms' and '1 hour'),
    time_zone  text        not null default 'UTC' check (is_time_zone(time_zone))
);

create table apikeys (
    digest     bytea       primary key check (octet_length(digest) = 32),
    sealed     bytea       not null,
    created_at timestamptz not null default clock_timestamp()
);

create table key_checks (
    host          text        not null,
    digest        bytea       not null check (octet_length(digest) = 32),
    checked_at    timestamptz not null,
    refusals      integer     not null default 0,
    refused_until timestamptz,
    state         key_state   not null,
    doubted_at    timestamptz,
    primary key (host, digest),
    check ((state = 'doubted') = (doubted_at is not null))
);
create index key_checks_next on key_checks (host, checked_at) where state <> 'refused';
create index key_checks_expired on key_checks (refused_until) where state = 'refused';
create index key_checks_digest on key_checks (digest) where state <> 'refused';

create table cache (
    host           text        primary key,
    taken_at       timestamptz not null,
    pages          text        compression lz4 not null,
    previous_at    timestamptz,
    previous_pages text        compression lz4,
    rate_limit     integer,
    rate_remaining integer
) with (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.02);

-- next_due_at is indexed, so that an update at the end of a refresh is not HOT; that at its beginning is. A table of its own for it was slower:
-- 4,200 refreshes a second in place of 6,000 (2 connections, 2,500 hosts).
create table refreshes (
    host          text        primary key,
    is_accepted   boolean     not null default false,
    created_at    timestamptz not null default clock_timestamp(),
    token         uuid,
    lease_until   timestamptz,
    next_try_at   timestamptz,
    failures      integer     not null default 0,
    last_error    text,
    last_error_at timestamptz,
    budget_tat    timestamptz,
    bad_key_tat   timestamptz,
    requests      bigint      not null default 0,
    refused_rows  bigint      not null default 0,
    next_due_at   timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
create index refreshes_unknown on refreshes (created_at) where not is_accepted;
create index refreshes_due on refreshes (next_due_at) where next_due_at is not null;

create table pages (
    page_id  integer generated always as identity primary key,
    host     text   not null references hosts,
    path     text   not null,
    title    text   not null,
    sections text[] not null default '{}',
    unique (host, path)
);

create table titles (
    page_id integer     not null references pages on delete cascade,
    since   timestamptz not null,
    title   text        not null,
    primary key (page_id, since)
);

create table page_months (
    page_id integer primary key references pages on delete cascade,
    month   date    not null
);
create index page_months_month on page_months (month);

-- A page of the table is 8 kB and TOAST compresses no row below 2 kB, so the number of rows that fit a page is what counts. Storage main
-- keeps a row in one piece, and pglz finds the three-byte runs of small integers that lz4 misses.
create table snapshots (
    host      text        not null,
    taken_at  timestamptz not null,
    row_limit integer     not null,
    page_ids  integer[]   not null,
    visitors  bytea[]     compression pglz not null,
    sources   bytea[]     compression pglz not null default '{""}',
    primary key (host, taken_at),
    check (length(visitors[1]) = cardinality(page_ids))
) partition by range (taken_at);
alter table snapshots alter page_ids set storage main, alter visitors set storage main, alter sources set storage main;
create index snapshots_taken_at on snapshots using brin (taken_at) with (pages_per_range = 8);
create table snapshots_default partition of snapshots default with (toast_tuple_target = 128);

create table minutes (
    host     text        not null,
    slot     timestamptz not null,
    samples  smallint[]  compression pglz not null check (cardinality(samples) = 15),
    cutoffs  integer[]   compression pglz not null check (cardinality(cutoffs) = 15),
    page_ids integer[]   compression pglz not null,
    visitors integer[]   compression pglz not null,
    totals   integer[]   compression pglz check (cardinality(totals) = 15),
    primary key (host, slot),
    check (cardinality(visitors) = 15 * cardinality(page_ids))
) partition by range (slot);
alter table minutes
    alter samples set storage main, alter cutoffs set storage main, alter page_ids set storage main,
    alter visitors set storage main, alter totals set storage main;
create table minutes_default partition of minutes default with (toast_tuple_target = 128);

create table quarters (
    host       text        not null,
    slot       timestamptz not null,
    minutes    smallint    not null,
    page_ids   integer[]   compression pglz not null,
    listed     smallint[]  compression pglz not null,
    sum        integer[]   compression pglz not null,
    cutoff_sum integer[]   compression pglz not null,
    min        integer[]   compression pglz not null,
    max        integer[]   compression pglz not null,
    first      integer[]   compression pglz not null,
    first_at   smallint[]  compression pglz not null,
    last       integer[]   compression pglz not null,
    last_at    smallint[]  compression pglz not null,
    rise       integer[]   compression pglz not null,
    fall       integer[]   compression pglz not null,
    primary key (host, slot)
) partition by range (slot);
create table quarters_default partition of quarters default;

create table history_progress (
    only_row boolean     primary key default true check (only_row),
    slot     timestamptz,
    host     text
);
insert into history_progress default values;

\endif
