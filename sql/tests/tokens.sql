-- View tokens: what a token may be, revocation, rotation, use, and keys that are taken away.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

select is(add_token(sha256('a'), '{a.example}', 'list', 5, '{i,path}', '{https://a.example}', null, 'one'), 1, 'a token has a number');
select is(add_token(sha256('b'), '{a.example,b.example}', 'all', null, null, null, now() + interval '2 hours', 'two'), 2, 'and the next one');
select throws_ok($$ select add_token(sha256('a'), '{a.example}', 'all', null, null, null, null, 'twice') $$, '23505', null, 'once only');
select throws_ok($$ select add_token(sha256('c'), '{}', 'all', null, null, null, null, 'x') $$, '23514', null, 'of some host');
select throws_ok($$ select add_token(sha256('c'), '{a.example}', 'any', null, null, null, null, 'x') $$, '22P02', null, 'of a known kind');
select throws_ok($$ select add_token(sha256('c'), '{a.example}', 'all', null, '{i}', null, null, 'x') $$, '23514', null,
    'with fields only where all its endpoints can leave some out');
select throws_ok($$ select add_token(sha256('c'), '{a.example}', 'list', 0, null, null, null, 'x') $$, '23514', null, 'with rows');
select throws_ok($$ select add_token(sha256('c'), '{a.example}', 'list', null, null, null, null, '') $$, '23514', null, 'with a note');

select is(revoke_token(1), true, 'it is revoked');
select is((select state from tokens where id = 1), 'revoked', 'and says so');
select is(revoke_token(1), true, 'twice is harmless');
select is(revoke_token(99), null, 'none is of that number');

select is(rotate_token(1, sha256('d'), '1 hour'), null, 'a revoked token is not rotated');
select isnt(rotate_token(2, sha256('d'), '1 hour'), null, 'a valid one is');
select results_eq($$ select hosts, may, replaces, note from tokens where replaces is not null $$,
    $$ values ('{a.example,b.example}'::text[], 'all', 2, 'two') $$, 'the new one may do what the old one may');
select ok((select valid_until between now() + interval '59 minutes' and now() + interval '61 minutes' from tokens where id = 2),
    'the old one expires after the overlap');
select ok((select valid_until > now() + interval '119 minutes' from tokens where replaces = 2), 'the new one when the old one would have');
select isnt(rotate_token((select id from tokens where replaces = 2), sha256('e'), '1 year'), null, 'an overlap that is longer than the token');
select ok((select valid_until < now() + interval '3 hours' from tokens where replaces = 2), 'does not make it live longer');

select is(count_token(2, 3), true, 'use is counted');
select is(count_token(2, 4), true, 'and added up');
select is(count_token(99, 4), null, 'of tokens that there are');
select results_eq($$ select requests, last_used_at = date_trunc('minute', last_used_at),
                            last_used_at between date_trunc('minute', now()) and clock_timestamp() from tokens where id = 2 $$,
    $$ values (7::bigint, true, true) $$, 'to the minute');

insert into hosts (host) values ('a.example'), ('b.example');
insert into refreshes (host, is_accepted) values ('a.example', true), ('b.example', true);
insert into apikeys (digest, sealed) values (sha256('k'), 'x'), (sha256('l'), 'x');
insert into key_checks (host, digest, checked_at, state) values
    ('a.example', sha256('k'), now(), 'accepted'), ('a.example', sha256('l'), now(), 'accepted'), ('b.example', sha256('l'), now(), 'accepted');
select set_eq($$ select host from key_hosts(sha256('b')) $$, '{a.example,b.example}'::text[], 'a token has hosts as a key has');
select is(remove_keys('a.example'), 2, 'the keys of a host are taken away');
select set_eq('select digest from apikeys', array[sha256('l')], 'a key that another host uses stays');
select is(remove_keys('a.example'), 0, 'twice is harmless');
select is((select outcome from claim_refresh('a.example', sha256('b'), false, 3000, 6000, 334, 6000, 300000)), 'no_key', 'then nothing is to ask with');

select * from finish();
rollback;
