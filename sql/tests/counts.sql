-- Counts in byte planes, and back.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

select is(pack_counts(counts), planes, 'packed: ' || counts::text) from (values
    ('{}'::integer[], array['']::bytea[]),
    ('{0,0,0}', array['\x000000']::bytea[]),
    ('{7,0}', array['\x0700']::bytea[]),
    ('{300,2,0}', array['\x2c0200', '\x01']::bytea[]),
    ('{256,256,1}', array['\x000001', '\x0101']::bytea[]),
    ('{65536,0}', array['\x0000', '', '\x01']::bytea[]),
    ('{1,2147483647}', array['\x01ff', '\x00ff', '\x00ff', '\x007f']::bytea[])) t (counts, planes);
select is(unpack_counts(pack_counts(counts)), counts, 'and back: ' || counts::text) from (values
    ('{}'::integer[]), ('{0}'), ('{0,0,0}'), ('{300,2,0}'), ('{65536,0}'), ('{16777216,65536,256,1,0}'), ('{1,2147483647}'), ('{0,0,70000,0}')) t (counts);
select setseed(0.5);
select is((select count(*) from (
        select array_agg(least(2 ^ (random() * 31), 2147483647)::bigint::integer) as counts
        from generate_series(1, 200) s, generate_series(1, 50) n group by s) t
    where unpack_counts(pack_counts(counts)) is distinct from counts), 0::bigint, '200 lists of any size are the same after it');
select is(pack_counts(null), null, 'nothing of nothing');
select throws_ok($$ insert into snapshots (host, taken_at, row_limit, page_ids, visitors) values ('a.example', now(), 100, '{1,2}', pack_counts('{1}')) $$,
    '23514', null, 'a count for each page');
select * from finish();
rollback;
