-- Alerts: which events reach which channel, what is one message, quiet hours and bounds by the hour, claims.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

insert into hosts (host, time_zone) values ('a.example', 'Europe/Berlin'), ('b.example', 'UTC'), ('c.example', 'UTC');
-- They were looked at before: what is found in the first look at a host is not told.
insert into event_progress (host, looked_at) select host, clock_timestamp() - interval '1 hour' from hosts;
insert into pages (host, path, title, sections) values
    ('a.example', '/sport/1', 'One', '{Sport}'), ('a.example', '/news/2', 'Two', '{News,Politics}'), ('a.example', '/news/3', 'Three', '{}'),
    ('b.example', '/sport/1', 'One', '{Sport}');

-- An event of a host as upbeat-alert finds it; the same begin and page again: its end.
create function pg_temp.found(p_host text, p_path text, p_kind text, p_visitors real, p_expected real, p_causes text, p_began timestamptz, p_ended timestamptz default null)
returns boolean language sql as $$
    select record_events(p_host, (select looked_at from event_progress where host = p_host), clock_timestamp(), jsonb_build_array(jsonb_build_object(
        'page_id', coalesce((select page_id from pages where host = p_host and path = p_path), 0), 'kind', p_kind, 'began_at', p_began, 'peak_at', p_began,
        'ended_at', p_ended, 'visitors', p_visitors, 'expected', p_expected, 'score', 9, 'peak', p_visitors, 'peak_expected', p_expected, 'causes', p_causes::text[])))
$$;
create function pg_temp.queued() returns table (channel text, what text) language sql as $$
    select c.name, concat_ws(' ', o.kind, o.host || o.path, case when o.is_end then 'ended' end) from outbox_events o join channels c using (channel_id)
$$;

-- Channels and rules are what they may be.
select is(add_alert_channel('all', 'webhook', 'hooks.example', 'x', 'y'), 1, 'a channel is made');
select is(add_alert_channel('all', 'slack', 'hooks.example', 'x', null), null, 'once only');
select throws_ok($$ select add_alert_channel('A b', 'slack', 'x', 'x', null) $$, '23514', null, 'with a plain name');
select throws_ok($$ select add_alert_channel('x', 'slack', 'x', 'x', 'y') $$, '23514', null, 'with a signing secret only where one is used');
select throws_ok($$ select add_alert_channel('x', 'pager', 'x', 'x', null) $$, '22P02', null, 'of a known kind');
select add_alert_channel(name, 'slack', 'x', 'x', null) from unnest('{host,big,steep,sport,prefix,social,falls}'::text[]) name;
create function pg_temp.rule(p_channel text, p_host text default null, p_kinds text[] default '{rise,takeoff,fall,outage,headline}', p_min_visitors real default null, p_min_ratio real default null,
    p_sections text[] default null, p_paths text[] default null, p_sources text[] default null, p_from time default null, p_until time default null, p_zone text default null,
    p_at_most integer default null) returns integer language sql as $$
    select add_alert_rule(p_channel, p_host, p_kinds, p_min_visitors, p_min_ratio, p_sections, p_paths, p_sources, p_from, p_until, p_zone, p_at_most) $$;
select isnt(pg_temp.rule('all'), null, 'a rule is made');
select is(pg_temp.rule('none'), null, 'of a channel that there is');
select throws_ok($$ select pg_temp.rule('all', p_kinds => '{raise}') $$, '22P02', null, 'of kinds that there are');
select throws_ok($$ select pg_temp.rule('all', p_sources => '{mail}') $$, '23514', null, 'of sources that there are');
select throws_ok($$ select pg_temp.rule('all', p_from => '22:00') $$, '23514', null, 'quiet hours have an end');
select throws_ok($$ select pg_temp.rule('all', p_from => '22:00', p_until => '22:00') $$, '23514', null, 'that is not their begin');
select throws_ok($$ select pg_temp.rule('all', p_zone => 'Europe/Nowhere') $$, '23514', null, 'in a time zone that there is');
select pg_temp.rule('host', p_host => 'b.example'), pg_temp.rule('big', p_min_visitors => 400), pg_temp.rule('steep', p_min_ratio => 3),
       pg_temp.rule('sport', p_sections => '{sport}'), pg_temp.rule('prefix', p_paths => '{/sport/,/news/2}'), pg_temp.rule('social', p_sources => '{social,direct}'),
       pg_temp.rule('falls', p_kinds => '{fall}');

-- Matching.
prepare queued as select channel from pg_temp.queued() order by 1;
select ok(pg_temp.found('a.example', '/sport/1', 'rise', 300, 100, '{social}', now() - interval '1 hour'), 'an event is stored');
select results_eq('queued', '{all,prefix,social,sport,steep}'::text[], 'each channel with a rule that matches gets it');
delete from outbox_events;
select ok(pg_temp.found('a.example', '/news/3', 'rise', 500, 300, '{search}', now() - interval '1 hour'), 'another');
select results_eq('queued', '{all,big}'::text[], 'by size, but neither by section, path, source nor ratio');
delete from outbox_events;
select ok(pg_temp.found('b.example', '/sport/1', 'fall', 100, 450, '{}', now() - interval '1 hour'), 'a fall');
select results_eq('queued', '{all,big,falls,host,prefix,sport,steep}'::text[], 'is measured by what it falls from');
delete from outbox_events;
select ok(pg_temp.found('b.example', null, 'outage', 0, 0, '{}', now() - interval '1 hour'), 'an outage');
select results_eq('queued', '{all,big,host,steep}'::text[], 'has no numbers, no page and no source');
delete from outbox_events;
select is(add_alert_silence('a.example', '/sport/1', now() + interval '1 hour'), 1, 'a page is silenced');
select pg_temp.found('a.example', '/sport/1', 'rise', 300, 100, '{}', now() - interval '50 minutes'),
       pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', now() - interval '50 minutes');
select results_eq($$ select distinct what from pg_temp.queued() $$, array['rise a.example/news/2'], 'it alone is not told of');
delete from outbox_events;
select is(add_alert_silence('a.example', null, now() + interval '1 hour'), 2, 'a host is silenced');
select pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', now() - interval '40 minutes');
select is_empty('queued', 'all of it');
update silences set silent_until = now() - interval '1 s';
select pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', now() - interval '30 minutes');
select isnt_empty('queued', 'until it is over');
delete from outbox_events;
select pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', now() - interval '40 hours', now() - interval '39 hours');
select is_empty('queued', 'what was over a day ago is not told any more');
update channels set is_on = name <> 'all', off_reason = case when name = 'all' then 'x' end;
select pg_temp.found('a.example', '/news/3', 'rise', 100, 90, '{}', now() - interval '20 minutes');
select is_empty('queued', 'a channel that is off gets nothing');
select is(enable_alert_channel('all'), true, 'it is turned on again');
select is(enable_alert_channel('none'), null, 'if there is one');
delete from channels where name <> 'all';
delete from outbox_events;
delete from events;

-- Messages. Times are given, so that nobody has to wait.
create temporary table t as select timestamptz '2026-07-01 10:00:00Z' as at;
create function pg_temp.at(p_s numeric) returns timestamptz language sql as $$ select at + p_s * interval '1 s' from t $$;
create function pg_temp.gather(p_s numeric) returns integer language sql as $$
    update outbox_events set due_at = pg_temp.at(p_s), found_at = pg_temp.at(p_s) where due_at > now() - interval '1 hour' and delivery_id is null; select gather_alerts(pg_temp.at(p_s)) $$;
create function pg_temp.messages() returns table (n bigint, events text) language sql as $$
    select row_number() over (order by o.delivery_id), (select string_agg(e.host || e.path || case when e.is_end then ' ended' else '' end, ', ' order by e.item_id)
           from outbox_events e where e.delivery_id = o.delivery_id) from outbox o $$;
select pg_temp.found('a.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(0)), pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', pg_temp.at(0)),
       pg_temp.found('b.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(0));
select is(pg_temp.gather(0), 2, 'what was found together is a message for each host');
select is(pg_temp.gather(0), 0, 'once');
select pg_temp.found('a.example', '/news/3', 'rise', 300, 100, '{}', pg_temp.at(10));
select is(pg_temp.gather(10), 0, 'what begins within 30 s after it waits');
select pg_temp.found('a.example', '/news/3', 'takeoff', 300, 100, '{}', pg_temp.at(20));
select is(pg_temp.gather(20), 0, 'for the end of these');
select is(gather_alerts(pg_temp.at(29.9)), 0, 'that long');
select is(gather_alerts(pg_temp.at(30)), 1, 'and is one message');
select pg_temp.found('a.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(0), pg_temp.at(90));
select is(pg_temp.gather(90), 1, 'an end is a message of its own');
select pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', pg_temp.at(100)), pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', pg_temp.at(100), pg_temp.at(110));
select is(pg_temp.gather(130), 1, 'what is over before it was told');
select results_eq('select * from pg_temp.messages()', $$ values (1::bigint, 'a.example/sport/1, a.example/news/2'), (2, 'b.example/sport/1'), (3, 'a.example/news/3, a.example/news/3'),
    (4, 'a.example/sport/1 ended'), (5, 'a.example/news/2') $$, 'is told as a whole');
select isnt(max(ended_at), null, 'with its end') from outbox_events where path = '/news/2' and began_at = pg_temp.at(100);
select pg_temp.found('a.example', '/news/2', 'headline', 300, 100, '{}', pg_temp.at(200));
select is(pg_temp.gather(200), 1, 'a headline is told');
select pg_temp.found('a.example', '/news/2', 'headline', 300, 100, '{}', pg_temp.at(200), pg_temp.at(300));
select is(pg_temp.gather(300), 0, 'and has no end');
select is(cardinality(minutes), 30, 'a message has the minutes before') from outbox_events limit 1;

-- At most so many an hour.
delete from outbox;
delete from outbox_events;
delete from channel_rules;
select pg_temp.rule('all', p_at_most => 2);
select pg_temp.found(h || '.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(1000 + n)) from unnest('{a,b}'::text[]) h, generate_series(0, 3) n;
update outbox_events set found_at = pg_temp.at(1000), due_at = pg_temp.at(1000 + 60 * (extract(epoch from began_at - pg_temp.at(1000)))::integer);
select is(gather_alerts(pg_temp.at(1000)), 2, 'two messages are sent');
select is(gather_alerts(pg_temp.at(1000 + 60 * n)), 0, 'and no more in this hour') from generate_series(1, 8) n;
select is((select count(*) from outbox_events where delivery_id is null and is_held), 6::bigint, 'the others are held back');
select is(gather_alerts(pg_temp.at(4599)), 0, 'to its very end');
select is(gather_alerts(pg_temp.at(4600)), 1, 'then all of them are one message');
select is((select count(*) from outbox_events where delivery_id = (select max(delivery_id) from outbox)), 6::bigint, 'of all hosts');
select is(is_held, true, 'that says so') from outbox order by delivery_id desc limit 1;

-- Quiet hours, by the clocks of a place that sets them forward on 2026-03-29 and back on 2026-10-25.
select is(quiet_end(a.f::time, a.u::time, 'Europe/Berlin', a.at::timestamptz), a.ends::timestamptz, a.at || ' in ' || a.f || '-' || a.u) from (values
    ('22:00', '07:00', '2026-07-01 19:59Z', null),
    ('22:00', '07:00', '2026-07-01 20:00Z', '2026-07-02 05:00Z'),
    ('22:00', '07:00', '2026-07-02 04:59Z', '2026-07-02 05:00Z'),
    ('22:00', '07:00', '2026-07-02 05:00Z', null),
    ('12:00', '13:00', '2026-07-02 10:30Z', '2026-07-02 11:00Z'),
    ('12:00', '13:00', '2026-07-02 11:00Z', null),
    ('00:00', '06:00', '2026-07-01 22:00Z', '2026-07-02 04:00Z'),
    ('22:00', '07:00', '2026-03-28 21:30Z', '2026-03-29 05:00Z'), -- a night of eight hours
    ('22:00', '07:00', '2026-10-24 20:30Z', '2026-10-25 06:00Z'), -- one of ten
    ('22:00', '02:30', '2026-03-28 23:00Z', '2026-03-29 01:30Z'), -- 02:30 is skipped
    ('22:00', '02:30', '2026-10-24 23:00Z', '2026-10-25 01:30Z')) a (f, u, at, ends); -- 02:30 comes twice
select pg_temp.rule('all', p_from => '22:00', p_until => '07:00');
delete from channel_rules where at_most_per_hour is not null;
delete from outbox;
delete from outbox_events;
update t set at = '2026-10-24 21:00Z';
select pg_temp.found('a.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(0)), pg_temp.found('b.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(0)),
       pg_temp.found('a.example', '/sport/1', 'rise', 300, 100, '{}', pg_temp.at(0), pg_temp.at(600));
select is(pg_temp.gather(0), 1, 'b.example, where it is 21:00, is told of');
select is((select due_at from outbox_events where delivery_id is null), '2026-10-25 06:00Z'::timestamptz, 'a.example, where it is 23:00, when the night is over');
select pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', pg_temp.at(3600));
select is(pg_temp.gather(3600), 0, 'and all that happens meanwhile');
select is(gather_alerts('2026-10-25 05:59Z'), 0, 'not before');
select is(gather_alerts('2026-10-25 06:00Z'), 1, 'is one message');
select is((select events from pg_temp.messages() order by n desc limit 1), 'a.example/sport/1, a.example/news/2', 'of what began in the night');
update t set at = '2026-10-25 22:00Z';
select pg_temp.found('a.example', '/news/2', 'takeoff', 300, 100, '{}', pg_temp.at(0));
select is(pg_temp.gather(0), 0, 'a rule that holds back');
select pg_temp.rule('all', p_host => 'a.example', p_kinds => '{rise}');
select pg_temp.found('a.example', '/news/3', 'rise', 300, 100, '{}', pg_temp.at(60));
select is(pg_temp.gather(60), 1, 'is no hindrance where another one does not');
delete from channel_rules where quiet_from is not null;
select is(gather_alerts('2026-10-26 08:00Z'), 0, 'what is held back by a rule that is gone');
select is_empty($$ select from outbox_events where delivery_id is null $$, 'is forgotten');

-- A clock that is set back by an hour.
update t set at = '2026-10-27 10:00Z';
delete from outbox;
delete from channel_rules;
select pg_temp.rule('all', p_host => 'a.example', p_at_most => 1);
select pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', pg_temp.at(3600));
select is(pg_temp.gather(3600), 1, 'a message is made');
select pg_temp.found('a.example', '/news/3', 'rise', 300, 100, '{}', pg_temp.at(0));
select is(pg_temp.gather(0), 1, 'and holds up none that is made an hour before it');
update outbox_events set delivery_id = null, found_at = pg_temp.at(3500), due_at = pg_temp.at(3600) where delivery_id = (select max(delivery_id) from outbox);
delete from outbox where created_at = pg_temp.at(0);
select is(gather_alerts(pg_temp.at(2000)), 1, 'what was found in a time to come waits for nothing');
update outbox_events set delivery_id = null, found_at = pg_temp.at(0), due_at = pg_temp.at(900000) where delivery_id = (select max(delivery_id) from outbox);
delete from outbox where created_at <= pg_temp.at(2000);
select is(gather_alerts(pg_temp.at(2100)), 1, 'nor what was put off for days');
delete from outbox where created_at <= pg_temp.at(2100);
update outbox set created_at = clock_timestamp() + interval '1 hour', next_try_at = clock_timestamp() + interval '2 hours';
create temporary table c as select * from claim_deliveries(20000, 10);
select is((select count(*) from c), 1::bigint, 'what was to be tried again an hour from now is tried now');
select finish_delivery((select delivery_id from c), (select lease from c), 'retry', 5000, 500, 'HTTP 500');
select is((select count(*) from claim_deliveries(20000, 10)), 0::bigint, 'and after that by the clock as it is');
update outbox set next_try_at = clock_timestamp() + interval '2 days';
select is((select count(*) from claim_deliveries(20000, 10)), 1::bigint, 'nobody asks to wait for days');
update channels set lease = null, lease_until = null;
drop table c;

-- A storm. What is held back is told apart from what is new.
delete from outbox;
delete from outbox_events;
insert into hosts (host) select 'h' || n || '.example' from generate_series(1, 24) n;
insert into event_progress (host, looked_at) select host, clock_timestamp() - interval '1 hour' from hosts where host like 'h%';
select add_alert_channel('other', 'slack', 'x', 'x', null), pg_temp.rule('other', p_host => 'h24.example', p_kinds => '{outage}'), pg_temp.rule('all', p_kinds => '{outage}');
select pg_temp.found(host, null, 'outage', 0, 0, '{}', pg_temp.at(4000)) from hosts where host like 'h%';
select is(pg_temp.gather(4000), 11, 'a call makes ten messages of a storm, and those of other channels');
select is(gather_alerts(pg_temp.at(4000)), 10, 'the next call goes on');
select is(gather_alerts(pg_temp.at(4000)) + gather_alerts(pg_temp.at(4000)), 4, 'to the end');
delete from outbox;
select pg_temp.found(host, null, 'outage', 0, 0, '{}', pg_temp.at(4100)) from hosts where host in ('h1.example', 'h2.example', 'h3.example');
update outbox_events set is_held = true where host <> 'h3.example';
select is(pg_temp.gather(4100), 2, 'what was held back is one message, and what is new another');
select results_eq($$ select o.is_held, string_agg(i.host, ' ' order by i.host) from outbox o join outbox_events i using (delivery_id) group by o.delivery_id order by 1 desc $$,
    $$ values (true, 'h1.example h2.example'), (false, 'h3.example') $$, 'which does not call itself held back');
delete from channels where name = 'other';
delete from channel_rules where kinds = '{outage}';

-- A message is no larger than its body may be.
delete from outbox;
delete from outbox_events;
insert into pages (host, path, title) select 'a.example', '/long/' || n || '/' || repeat('%D0%B0', 90), repeat('а', 90) from generate_series(1, 300) n;
select pg_temp.rule('all', p_kinds => '{takeoff}');
select pg_temp.found('a.example', path, 'takeoff', 300, 100, '{}', pg_temp.at(5000)) from pages where path like '/long/%';
update outbox_events set is_held = true;
select ok(pg_temp.gather(5000) + gather_alerts(pg_temp.at(5030)) + gather_alerts(pg_temp.at(5060)) between 2 and 3, 'long paths make more messages of it');
select ok(max(n) between 100 and 200 and sum(n) = 300, 'of fewer events each') from (select count(*) n from outbox_events group by delivery_id) e;
delete from outbox_events;
delete from channel_rules where kinds = '{takeoff}';

-- Claims.
delete from outbox;
select is((select count(*) from claim_deliveries(20000, 10)), 0::bigint, 'nothing waits, nothing is claimed');
select test_alert_channel('all'), test_alert_channel('all');
create temporary table c as select * from claim_deliveries(20000, 10);
select is((select array_agg(delivery_id) from c), array[(select min(delivery_id) from outbox)], 'one of a channel, the oldest first');
select is((select attempts from c), 1, 'the attempt is counted');
select is((select count(*) from claim_deliveries(20000, 10)), 0::bigint, 'nobody else delivers there meanwhile');
select is(finish_delivery((select delivery_id from c), gen_random_uuid()::text, 'delivered', 0, 200, null), false, 'nor ends what is not his');
select is(finish_delivery((select delivery_id from c), (select lease from c), 'retry', 5000, 500, 'HTTP 500'), true, 'it failed');
select is((select count(*) from claim_deliveries(20000, 10)), 0::bigint, 'those behind it wait too');
update outbox set next_try_at = now() where attempts > 0;
drop table c;
create temporary table c as select * from claim_deliveries(20000, 10);
select results_eq('select attempts, message_id from c', $$ select attempts, message_id::text from outbox order by delivery_id limit 1 $$, 'the same again');
update channels set lease_until = clock_timestamp() - interval '1 s';
create temporary table d as select * from claim_deliveries(20000, 10);
select results_eq('select message_id, attempts from d', 'select message_id, attempts + 1 from c', 'a lease that is over is somebody else''s');
select is(finish_delivery((select delivery_id from c), (select lease from c), 'delivered', 0, 200, null), false, 'who comes too late changes nothing');
select is(finish_delivery((select delivery_id from d), (select lease from d), 'delivered', 0, 200, null), true, 'it is delivered');
select is((select state from deliveries order by id limit 1), 'delivered', 'and says so');
drop table c;
create temporary table c as select * from claim_deliveries(20000, 10);
select test_alert_channel('all'), pg_temp.found('a.example', '/news/2', 'rise', 300, 100, '{}', pg_temp.at(9000));
select is(enable_alert_channel('all'), true, 'to turn on what is on');
select results_eq('select waiting, held from alert_channels', $$ values (2::bigint, 1::bigint) $$, 'takes nothing away');
select is(finish_delivery((select delivery_id from c), (select lease from c), 'off', 0, 410, 'HTTP 410'), true, 'the next one is refused');
select results_eq('select is_on, off_reason from alert_channels', $$ values (false, 'HTTP 410') $$, 'and the channel off');
select is(test_alert_channel('all'), null, 'nothing is put into it then');
select enable_alert_channel('all');
select results_eq('select waiting, held from alert_channels', $$ values (0::bigint, 0::bigint) $$, 'turned on again it is not told of what was before');
select results_eq('select state, said from deliveries order by id desc limit 1', $$ values ('given_up', 'the channel was off') $$, 'which is given up');
select test_alert_channel('all');
update outbox set created_at = now() - interval '25 hours', next_try_at = now() where state = 'waiting';
select is((select count(*) from claim_deliveries(20000, 10)), 0::bigint, 'after a day a message is not sent any more');
select is((select state from deliveries order by id desc limit 1), 'given_up', 'it is given up');
update outbox set done_at = now() - interval '31 days' where state = 'given_up' and said <> 'the channel was off';
select is(forget_deliveries(), 1, 'and forgotten after a month');

-- Places are few: the channel that had one least lately is next.
delete from outbox;
select add_alert_channel('c' || n, 'slack', 'x', 'x', null) from generate_series(1, 8) n;
insert into outbox (channel_id) select channel_id from channels, generate_series(1, 6) where name like 'c_' order by channel_id;
create temporary table turns (name text);
do $$ declare n integer; begin
    for n in 1 .. 32 loop
        update channels set shown = 'y' where name = 'c1'; -- which puts its row behind the others
        with c as (select * from claim_deliveries(20000, 1)), f as (select c.name, finish_delivery(c.delivery_id, c.lease, 'delivered', 0, 200, null) from c)
        insert into turns select name from f where finish_delivery is not null;
    end loop;
end $$;
select results_eq('select count(*) from turns group by name', '{4,4,4,4,4,4,4,4}'::bigint[], 'all have their turn');
delete from channels where name <> 'all';

-- Secrets.
select is(rotate_alert_secret('all', 'z', '1 hour'), true, 'a signing secret is rotated');
select results_eq('select sealed_secret, sealed_old_secret from channels', $$ values ('z'::bytea, 'y'::bytea) $$, 'the old one is kept for a while');
select test_alert_channel('all');
update channels set old_secret_until = clock_timestamp() - interval '1 s';
select is((select sealed_old_secret from claim_deliveries(20000, 10)), null, 'then it is used no more');

-- How often hosts are sampled.
insert into refreshes (host) values ('a.example'), ('b.example');
select is(keep_alert_hosts(15000), 1, 'a host with a rule');
select results_eq($$ select host, alert_every from hosts where host like '_.example' order by host $$, $$ values ('a.example', interval '15 s'), ('b.example', null), ('c.example', null) $$, 'is sampled every 15 s');
select is(keep_alert_hosts(15000), 0, 'which is said once');
select is(poll_interval('1 hour', '15 s', now(), now()), interval '15 s', 'at least');
select is(poll_interval('5 s', '15 s', now(), now()), interval '5 s', 'or more often');
select is(left_alone(true, '15 s', now() - interval '1 year', now()), null, 'though nobody asks for it');
select pg_temp.rule('all');
select is(keep_alert_hosts(15000), 1, 'a rule of all hosts is for all that there is something known of');
select is(remove_alert_channel('all'), true, 'without a channel');
select is(keep_alert_hosts(15000), 2, 'nobody needs them');

select * from finish();
rollback;
