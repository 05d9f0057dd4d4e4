-- Hosts, keys, the cache row, the lease row and the snapshots.
-- Times are of the database's clock; visitors are concurrents.

create table hosts (
    host       text        primary key check (host ~ '^[a-z0-9.-]{1,253}$'),
    created_at timestamptz not null default clock_timestamp(),
    asked_at   timestamptz not null default clock_timestamp()
);
comment on table  hosts is 'Sites that Chartbeat has accepted with at least one key.';
comment on column hosts.host is 'Host name, lower case.';
comment on column hosts.created_at is 'When the first snapshot of the host was stored.';
comment on column hosts.asked_at is 'When somebody last asked for the host and made a refill; at most a minute behind.';

create table apikeys (
    digest     bytea       primary key check (octet_length(digest) = 32),
    sealed     bytea       not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table  apikeys is 'API keys that Chartbeat has accepted for some host. The key itself is only here, sealed.';
comment on column apikeys.digest is 'SHA-256 of the key: its name everywhere else.';
comment on column apikeys.sealed is 'The key under the secret of UPBEAT_SECRET_FILE: nonce, tag, AES-256-GCM ciphertext. Opened by the programs only.';
comment on column apikeys.created_at is 'When the key was first accepted.';

create table key_checks (
    host          text        not null,
    digest        bytea       not null check (octet_length(digest) = 32),
    accepted      boolean     not null,
    checked_at    timestamptz not null,
    refusals      integer     not null default 0,
    refused_until timestamptz,
    primary key (host, digest)
);
create index key_checks_next on key_checks (host, checked_at) where accepted;
create index key_checks_expired on key_checks (refused_until) where not accepted;
comment on table  key_checks is 'Chartbeat''s last word on each key for each host that it was tried for.';
comment on column key_checks.host is 'Host name; not necessarily one of hosts, since a refused host is remembered too.';
comment on column key_checks.digest is 'SHA-256 of the key.';
comment on column key_checks.accepted is 'Accepted for this host, or refused.';
comment on column key_checks.checked_at is 'When Chartbeat was last asked with this key for this host.';
comment on column key_checks.refusals is 'Refusals in a row.';
comment on column key_checks.refused_until is 'Until then the refusal is remembered and Chartbeat is not asked: 60 s, doubled at each refusal up to 10 minutes.';
comment on index  key_checks_next is 'The accepted key of a host that was checked longest ago: the next one to be used.';
comment on index  key_checks_expired is 'Refusals that may be forgotten.';

create table cache (
    host           text        primary key,
    taken_at       timestamptz not null,
    pages          text        compression lz4 not null,
    previous_at    timestamptz,
    previous_pages text        compression lz4,
    rate_limit     integer,
    rate_remaining integer
) with (fillfactor = 50, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.02);
comment on table  cache is 'All that a request for the increase needs, in one row: the newest snapshot and the one before it.';
comment on column cache.host is 'Host name.';
comment on column cache.taken_at is 'Time of the newest snapshot.';
comment on column cache.pages is 'Newest snapshot as compact text: visitors TAB path TAB title LF, escaped as in COPY.';
comment on column cache.previous_at is 'Time of the snapshot before it; null at first.';
comment on column cache.previous_pages is 'The snapshot before it, in the same form.';
comment on column cache.rate_limit is 'X-RateLimit-Limit as Chartbeat last said.';
comment on column cache.rate_remaining is 'X-RateLimit-Remaining as Chartbeat last said.';

create table refills (
    host          text        primary key,
    known         boolean     not null default false,
    created_at    timestamptz not null default clock_timestamp(),
    token         uuid,
    lease_until   timestamptz,
    next_try_at   timestamptz,
    failures      integer     not null default 0,
    last_error    text,
    last_error_at timestamptz,
    tat           timestamptz,
    check_tat     timestamptz,
    requests      bigint      not null default 0,
    refused_rows  bigint      not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
create index refills_unknown on refills (created_at) where not known;
comment on table  refills is 'Who may ask Chartbeat for a host, and when: lease, back-off and rate budget. No index on what changes, so that each update is HOT.';
comment on column refills.host is 'Host name; a host that was never accepted is forgotten after an hour.';
comment on column refills.known is 'The host was accepted at least once.';
comment on column refills.created_at is 'When the host was first asked for.';
comment on column refills.token is 'Random name of the lease; null while nobody holds it.';
comment on column refills.lease_until is 'The lease is void after this.';
comment on column refills.next_try_at is 'Back-off: nobody asks Chartbeat before this.';
comment on column refills.failures is 'Failed refills in a row.';
comment on column refills.last_error is 'Why the last failed refill failed.';
comment on column refills.last_error_at is 'When it failed.';
comment on column refills.tat is 'Rate budget as GCRA: theoretical arrival time of the next request.';
comment on column refills.check_tat is 'The same for requests with keys that were never accepted: who guesses keys must not use up the rate of those who have one.';
comment on column refills.requests is 'Requests to Chartbeat so far.';
comment on column refills.refused_rows is 'Rows of Chartbeat''s answers that had no usable path or count, so far.';
comment on index  refills_unknown is 'Rows that may be forgotten.';

create table pages (
    page_id integer generated always as identity primary key,
    host    text not null references hosts,
    path    text not null,
    title   text not null,
    sections text[] not null default '{}',
    unique (host, path)
);
comment on table  pages is 'Every page seen, so that snapshots hold numbers in place of text.';
comment on column pages.page_id is 'Number of the page, in all hosts.';
comment on column pages.host is 'Host name.';
comment on column pages.path is 'Path from its first slash on, with its query.';
comment on column pages.title is 'Title as last seen.';
comment on column pages.sections is 'Sections of the site that the page belongs to, as last seen.';

create table titles (
    page_id integer     not null references pages on delete cascade,
    since   timestamptz not null,
    title   text        not null,
    primary key (page_id, since)
);
comment on table  titles is 'Each title of each page with the time from which it held.';
comment on column titles.page_id is 'The page.';
comment on column titles.since is 'First snapshot with this title.';
comment on column titles.title is 'The title.';

create table snapshots (
    host      text        not null,
    taken_at  timestamptz not null,
    row_limit integer     not null,
    page_ids  integer[]   not null,
    visitors  integer[]   not null,
    sources   integer[]   compression lz4 not null default '{}',
    primary key (host, taken_at),
    check (cardinality(page_ids) = cardinality(visitors))
) partition by range (taken_at);
create table snapshots_default partition of snapshots default;
comment on table  snapshots is 'Every snapshot, a row each: pages by visitors descending, then path.';
comment on column snapshots.host is 'Host name.';
comment on column snapshots.taken_at is 'When Chartbeat answered.';
comment on column snapshots.row_limit is 'Rows asked for: a snapshot with as many is full, and says nothing of pages below its smallest count.';
comment on column snapshots.page_ids is 'Pages, by rank.';
comment on column snapshots.visitors is 'Their concurrents, in the same order.';
comment on column snapshots.sources is 'Where they came from, five numbers a page: search, social, links, direct, internal; empty where Chartbeat says nothing of it.';
comment on table  snapshots_default is 'Where no partition was made in time.';
comment on column snapshots_default.host is 'See snapshots.';
comment on column snapshots_default.taken_at is 'See snapshots.';
comment on column snapshots_default.row_limit is 'See snapshots.';
comment on column snapshots_default.page_ids is 'See snapshots.';
comment on column snapshots_default.visitors is 'See snapshots.';
comment on column snapshots_default.sources is 'See snapshots.';
