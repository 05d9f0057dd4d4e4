-- Lists that cannot be believed: marked, left out of everything, and undone where ten minutes say that they are real.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create temporary table start as select date_bin('15 minutes', clock_timestamp() - interval '2 hours', 'epoch') as t;

-- 50 pages of 20 to 69 visitors, every 15 s: p_rows of them are sent, with p_share of the visitors.
create function pg_temp.publish(p_host text, p_from integer, p_to integer, p_rows integer, p_share numeric) returns void language sql as $$
    select count(publish_refresh(
        p_host => p_host, p_token => null, p_digest => sha256('k'), p_sealed => 'x', p_taken_at => s.t + n.at * interval '15 s',
        p_ttl_ms => 3000, p_row_limit => 100, p_text => '',
        p_paths => (select array_agg('/' || i order by i) from generate_series(1, p_rows) i),
        p_titles => (select array_agg('t' || i) from generate_series(1, p_rows) i),
        p_sections => array_fill(''::text, array[p_rows]),
        p_visitors => (select array_agg(((70 - i) * p_share)::integer order by i) from generate_series(1, p_rows) i),
        p_sources => '{}', p_rate_limit => -1, p_rate_remaining => -1, p_refused_rows => 0))
    from start s cross join (select at from generate_series(4 * p_from, 4 * p_to - 1) at offset 0) n
$$;
create function pg_temp.suspects(p_host text) returns bigint language sql as $$
    select count(*) from snapshots where host = p_host and suspect_since is not null $$;

insert into hosts (host) values ('rows.example'), ('zeros.example'), ('real.example'), ('one.example');
insert into refreshes (host) values ('rows.example'), ('zeros.example'), ('real.example'), ('one.example');

select pg_temp.publish('rows.example', 0, 20, 50, 1), pg_temp.publish('rows.example', 20, 22, 3, 1), pg_temp.publish('rows.example', 22, 30, 50, 1);
select is(pg_temp.suspects('rows.example'), 8::bigint, 'three rows in place of fifty for two minutes');
select is((select count(distinct suspect_since) from snapshots where host = 'rows.example'), 1::bigint, 'since one time');
select is((select count(distinct minute) from start, minute_means('rows.example', t, t + interval '30 minutes')), 28::bigint, 'no minute means');
select is((select count(*) from start, minute_totals('rows.example', t, t + interval '30 minutes')), 28::bigint, 'nor totals');
select is((select count(*) from start, trend_window('rows.example', t + interval '30 minutes', interval '30 minutes', interval '2 minutes')), 112::bigint,
    'nor trends');
select results_eq($$ select h.* from start s, page_history('rows.example', '/1', s.t + interval '19 minutes', s.t + interval '23 minutes', '1 minute') h $$,
    $$ select t + n * interval '1 minute', case when n in (19, 22) then 69.0 end, case when n in (19, 22) then 69.0 end, case when n in (19, 22) then 69.0 end,
              n in (20, 21) from start, generate_series(19, 22) n $$, 'a gap in the history');
select roll_minutes('rows.example', t + n * interval '15 minutes'), roll_quarter('rows.example', t + n * interval '15 minutes')
from start, generate_series(0, 1) n;
select is((select count(*) from start, page_history('rows.example', null, t, t + interval '30 minutes', '15 minutes') h where h.suspect), 0::bigint,
    'none in a quarter of which something is known');
select is((select count(*) from start, pages_at('rows.example', start.t + interval '20 minutes')), 50::bigint, 'the list as it stood is the last good one');

select pg_temp.publish('zeros.example', 0, 20, 50, 1), pg_temp.publish('zeros.example', 20, 40, 50, 0), pg_temp.publish('zeros.example', 40, 50, 50, 1);
select is(pg_temp.suspects('zeros.example'), 80::bigint, 'twenty minutes of zeros are never real');

select pg_temp.publish('real.example', 0, 20, 50, 1), pg_temp.publish('real.example', 20, 28, 50, 0.2);
select is(pg_temp.suspects('real.example'), 32::bigint, 'a fifth of the readers');
select roll_minutes('real.example', t + n * interval '15 minutes'), roll_quarter('real.example', t + n * interval '15 minutes')
from start, generate_series(0, 1) n;
select is((select minutes from quarters, start where host = 'real.example' and slot = t + interval '15 minutes'), 5::smallint, 'is left out');
select pg_temp.publish('real.example', 28, 40, 50, 0.2);
select is(pg_temp.suspects('real.example'), 0::bigint, 'until ten minutes say that it is real');
select is((select minutes from quarters, start where host = 'real.example' and slot = t + interval '15 minutes'), 15::smallint, 'and then it was real all along');

select is(suspect_since('one.example', t + interval '3 hours', 100, '{}', '{}'), null, 'after half an hour there is nothing to compare with') from start;

select * from finish();
rollback;
