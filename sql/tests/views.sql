-- What people see with psql.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

insert into hosts (host) values ('a.example'), ('b.example');
insert into refreshes (host, is_accepted, failures, last_error, next_try_at, requests, refused_rows) values
    ('a.example', true, 0, null, clock_timestamp() - interval '1 s', 7, 1),
    ('b.example', true, 2, 'status 503', clock_timestamp() + interval '30 s', 3, 0),
    ('c.example', false, 0, null, null, 0, 0);
insert into key_checks (host, digest, state, checked_at, refused_until) values
    ('a.example', sha256('one'), 'accepted', '2026-01-01 00:00+00', null),
    ('a.example', sha256('two'), 'accepted', '2026-01-01 00:00+00', null),
    ('a.example', sha256('bad'), 'refused', '2026-01-01 00:00+00', '2026-01-01 00:01+00');
insert into pages (host, path, title) select 'a.example', path, title from (values
    ('/a', 'A, new'), ('/b', 'B'), ('/B', 'Large B'), ('/c', 'C'), ('/gone', 'Gone'), ('/new', 'New')) v (path, title);
insert into titles (page_id, since, title)
    select page_id, timestamptz '2026-01-01 00:00+00', case path when '/a' then 'A, old' else title end from pages
    union all select page_id, '2026-01-01 00:00:03+00', title from pages where path = '/a';
create function pg_temp.ids(p_paths text[]) returns integer[] language sql as $$
    select array_agg(page_id order by rank) from unnest(p_paths) with ordinality n (path, rank) join pages p using (path)
    where host = 'a.example'
$$;
insert into snapshots (host, taken_at, row_limit, page_ids, visitors) values
    ('a.example', '2026-01-01 00:00+00', 100, pg_temp.ids('{/c,/gone,/a,/b,/B}'), pack_counts('{50,40,10,10,10}')),
    ('a.example', '2026-01-01 00:00:03+00', 100, pg_temp.ids('{/new,/c,/a,/b,/B}'), pack_counts('{99,49,15,12,12}')),
    ('b.example', '2026-01-01 00:00+00', 100, '{}', pack_counts('{}'));
insert into cache (host, taken_at, pages, previous_at, previous_pages) values
    ('a.example', '2026-01-01 00:00:03+00', '', '2026-01-01 00:00+00', ''), ('b.example', clock_timestamp(), '', null, null);

select results_eq($$ select host, last_snapshot is not null, last_error, failures, next_try is not null, keys, refused_keys, requests, refused_rows
                     from host_status $$,
    $$ values ('a.example'::text, true, null::text, 0, false, 2::bigint, 1::bigint, 7::bigint, 1::bigint),
              ('b.example', true, 'status 503', 2, true, 0, 0, 3, 0),
              ('c.example', false, null, 0, false, 0, 0, 0, 0) $$, 'host_status');
select ok((select age between interval '0' and interval '1 minute' from host_status where host = 'b.example'), 'the age of a snapshot');

select results_eq($$ select host, rank, title, path, visitors, change from increasing_now $$,
    $$ values ('a.example'::text, 1, 'A, new'::text, '/a'::text, 15, 5), ('a.example', 2, 'Large B', '/B', 12, 2),
              ('a.example', 3, 'B', '/b', 12, 2) $$,
    'increasing_now: what increases, by change, visitors, path; no new page, none that has gone');

select results_eq($$ select rank, path, title, visitors from snapshot_pages where host = 'a.example' and time = '2026-01-01 00:00+00' order by rank $$,
    $$ values (1, '/c'::text, 'C'::text, 50), (2, '/gone', 'Gone', 40), (3, '/a', 'A, old', 10), (4, '/b', 'B', 10), (5, '/B', 'Large B', 10) $$,
    'snapshot_pages: titles as they were then');
select is((select count(*) from snapshot_pages where host = 'b.example'), 0::bigint, 'an empty snapshot has no page');

select results_eq($$ select key, host, verdict from apikey_hosts $$,
    $$ select left(encode(sha256(k::bytea), 'hex'), 8), 'a.example'::text, v from (values ('one', 'accepted'), ('two', 'accepted'), ('bad', 'refused'))
       x (k, v) order by 1 $$, 'apikey_hosts: the first 8 hex digits');

select * from finish();
rollback;
