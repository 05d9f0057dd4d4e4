-- Alerts: where they go, which events are worth one, and the outbox. The views alert_channels, alert_rules and deliveries show them to people.

alter table event_progress add column tells_from timestamptz;
alter table hosts add column alert_every interval check (alert_every between '100 ms' and '1 hour');

create type channel_kind as enum ('webhook', 'slack', 'mail');
create type delivery_state as enum ('waiting', 'delivered', 'refused', 'given_up');

create table channels (
    channel_id        integer      generated always as identity primary key,
    name              text         not null unique check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind              channel_kind not null,
    shown             text         not null check (length(shown) between 1 and 320),
    sealed_address    bytea        not null,
    sealed_secret     bytea        check ((sealed_secret is not null) = (kind = 'webhook')),
    sealed_old_secret bytea,
    old_secret_until  timestamptz  check ((old_secret_until is null) = (sealed_old_secret is null)),
    is_on             boolean      not null default true,
    off_reason        text         check ((off_reason is null) = is_on),
    created_at        timestamptz  not null default clock_timestamp(),
    lease             uuid,
    lease_until       timestamptz
);

create table channel_rules (
    rule_id          integer      generated always as identity primary key,
    channel_id       integer      not null references channels on delete cascade,
    host             text,
    kinds            event_kind[] not null check (cardinality(kinds) between 1 and 8),
    min_visitors     real         not null default 0 check (min_visitors >= 0),
    min_ratio        real         not null default 0 check (min_ratio >= 0),
    sections         text[]       check (cardinality(sections) between 1 and 100),
    paths            text[]       check (cardinality(paths) between 1 and 100),
    sources          text[]       check (sources <@ '{search,social,links,direct,internal}' and cardinality(sources) > 0),
    quiet_from       time,
    quiet_until      time         check (quiet_until <> quiet_from and (quiet_until is null) = (quiet_from is null)),
    time_zone        text         check (is_time_zone(time_zone)),
    at_most_per_hour integer      check (at_most_per_hour between 1 and 1000),
    created_at       timestamptz  not null default clock_timestamp()
);
create index channel_rules_channel on channel_rules (channel_id);

create table silences (
    silence_id   integer     generated always as identity primary key,
    host         text        not null,
    path         text,
    silent_until timestamptz not null,
    created_at   timestamptz not null default clock_timestamp()
);
create index silences_host on silences (host);

create table outbox (
    delivery_id  bigint         generated always as identity primary key,
    message_id   uuid           not null unique default gen_random_uuid(),
    channel_id   integer        not null references channels on delete cascade,
    rule_ids     integer[]      not null default '{}',
    is_test      boolean        not null default false,
    is_held      boolean        not null default false,
    created_at   timestamptz    not null default clock_timestamp(),
    state        delivery_state not null default 'waiting',
    attempts     integer        not null default 0,
    next_try_at  timestamptz    not null default clock_timestamp(),
    done_at      timestamptz,
    http_status  integer,
    said         text           check (length(said) <= 200)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index outbox_waiting on outbox (channel_id, delivery_id) where state = 'waiting';
create index outbox_recent on outbox (channel_id, created_at);

-- Without a delivery_id it is not in a message yet. What a message says never changes, so all of it is copied here.
create table outbox_events (
    item_id       bigint      generated always as identity primary key,
    delivery_id   bigint      references outbox on delete cascade,
    channel_id    integer     not null references channels on delete cascade,
    rule_ids      integer[]   not null,
    event_id      bigint      not null references events on delete cascade,
    is_end        boolean     not null,
    found_at      timestamptz not null default clock_timestamp(),
    due_at        timestamptz not null default clock_timestamp(),
    is_held       boolean     not null default false,
    host          text        not null,
    kind          event_kind  not null,
    path          text,
    title         text,
    began_at      timestamptz not null,
    peak_at       timestamptz not null,
    ended_at      timestamptz,
    visitors      real        not null,
    expected      real        not null,
    score         real        not null,
    peak          real        not null,
    peak_expected real        not null,
    causes        text[]      not null,
    sources       real[],
    minutes       integer[]   not null default '{}',
    unique (channel_id, event_id, is_end)
) with (autovacuum_vacuum_scale_factor = 0.02);
create index outbox_events_due on outbox_events (channel_id, due_at) where delivery_id is null;
create index outbox_events_delivery on outbox_events (delivery_id);
create index outbox_events_event on outbox_events (event_id);
