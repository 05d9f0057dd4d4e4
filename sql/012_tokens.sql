-- View tokens: what boards, TVs, widgets and spreadsheets show in place of an API key of Chartbeat. Their table is access_tokens, since
-- the view that people look at is named tokens.

create type token_may as enum ('list', 'board', 'box', 'all');

create table access_tokens (
    token_id    integer     generated always as identity primary key,
    digest      bytea       not null unique check (octet_length(digest) = 32),
    hosts       text[]      not null check (cardinality(hosts) between 1 and 100),
    may         token_may   not null,
    row_limit   integer     check (row_limit between 1 and 10000),
    fields      text[]      check (fields is null or (fields <@ '{i,path,visitors,change}' and cardinality(fields) > 0 and may = 'list')),
    origins     text[]      check (cardinality(origins) between 1 and 100),
    valid_until timestamptz,
    revoked_at  timestamptz,
    replaces    integer     references access_tokens,
    note        text        not null check (length(note) between 1 and 200),
    created_at  timestamptz not null default clock_timestamp()
);
create index access_tokens_replaces on access_tokens (replaces) where replaces is not null;

create table token_use (
    token_id     integer     primary key references access_tokens,
    requests     bigint      not null default 0,
    last_used_at timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
