-- Snapshots that cannot be believed, and the log of events.

alter table snapshots add column suspect_since timestamptz;

create type event_kind as enum ('rise', 'takeoff', 'fall', 'record', 'site_high', 'site_low', 'headline', 'outage');

create table events (
    event_id   bigint      generated always as identity primary key,
    host       text        not null references hosts,
    page_id    integer     not null default 0,
    kind       event_kind  not null,
    began_at   timestamptz not null,
    peak_at    timestamptz not null,
    ended_at   timestamptz check (ended_at >= began_at),
    path       text        check ((path is null) = (page_id = 0)),
    title      text,
    visitors   real        not null,
    expected   real        not null,
    score      real        not null,
    peak       real        not null,
    peak_expected real     not null,
    causes     text[]      not null default '{}',
    sources    real[]      check (cardinality(sources) = 5),
    unique (host, page_id, kind, began_at)
);
create index events_host on events (host, began_at);
create index events_open on events (host) where ended_at is null;

create table event_progress (
    host       text        primary key references hosts on delete cascade,
    looked_at  timestamptz not null
);
