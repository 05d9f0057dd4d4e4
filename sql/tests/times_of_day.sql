-- Local hours, what is usual, and the site beside its pages: the parts that are pure or small. The figures are in tests/test_times_of_day.py.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

select is(local_text(t::timestamptz, z), w, z || ' ' || t) from (values
    ('2026-10-25 00:30Z', 'Europe/Berlin', '2026-10-25T02:30:00+02:00'), ('2026-10-25 01:30Z', 'Europe/Berlin', '2026-10-25T02:30:00+01:00'),
    ('2026-06-01 12:00Z', 'Asia/Kathmandu', '2026-06-01T17:45:00+05:45'), ('2026-06-01 12:00Z', 'America/St_Johns', '2026-06-01T09:30:00-02:30'),
    ('2026-06-01 12:00Z', 'UTC', '2026-06-01T12:00:00+00:00')) v (t, z, w);
select is(utc_text('2026-06-01 14:00:00.7+02'), '2026-06-01T12:00:00Z', 'a time in UTC');

insert into hosts (host, time_zone) values ('a.example', 'Asia/Kolkata');
select is(zone_of('a.example', null), 'Asia/Kolkata', 'the zone of the host');
select is(zone_of('a.example', 'Europe/Berlin'), 'Europe/Berlin', 'the one that was given');
select is(zone_of('a.example', 'Mars/Olympus'), null, 'one that is none');
select is(zone_of('b.example', null), null, 'of a host that is not known');

select is((select count(*) from usual_days('2026-11-24 09:07Z', 'Europe/Berlin')), 56::bigint, '56 days');
select results_eq($$ select slot from usual_days('2026-11-01 01:20Z', 'Europe/Berlin') where day = '2026-10-25' order by 1 $$,
    $$ values ('2026-10-25 00:15Z'::timestamptz), ('2026-10-25 01:15Z') $$, 'an hour that is repeated has the slot twice');
select is_empty($$ select slot from usual_days('2026-04-05 00:50Z', 'Europe/Berlin') where day = '2026-03-29' $$, 'one that is missing has none');
select results_eq($$ select slot from usual_days('2026-04-05 15:20Z', 'Australia/Lord_Howe') where day = '2026-04-05' order by 1 $$,
    $$ values ('2026-04-04 14:45Z'::timestamptz), ('2026-04-04 15:15Z') $$, 'half an hour that is repeated, too');

-- A Tuesday.
select results_eq($$ select usual, low, high, basis, n from usual_of(array[1, 2, 3, 4], array['2026-11-17', '2026-11-10', '2026-11-03', '2026-10-27']::date[], '2026-11-24') $$,
    $$ values (2.50, 1.75, 3.25, 'weekday'::text, 4) $$, 'four of the same weekday are enough');
select results_eq($$ select usual, basis, n from usual_of(array[1, 2, 3, 9, 9], array['2026-11-17', '2026-11-10', '2026-11-03', '2026-11-23', '2026-11-20']::date[], '2026-11-24') $$,
    $$ values (3.00, 'weekdays'::text, 5) $$, 'three are not: weekdays');
select is_empty($$ select * from usual_of(array[1, 2, 3, 9, 9], array['2026-11-17', '2026-11-10', '2026-11-03', '2026-11-22', '2026-11-20']::date[], '2026-11-24') $$,
    'a Sunday is no weekday, and four are too few');
select results_eq($$ select usual, basis, n from usual_of(array[1, 2, 3, 4, 5], array['2026-11-22', '2026-11-21', '2026-11-15', '2026-11-14', '2026-11-08']::date[], '2026-11-28') $$,
    $$ values (3.00, 'weekend'::text, 5) $$, 'on a Saturday: weekend days');
select results_eq($$ select usual, n from usual_of(array[1, 3, 4, 4, 4], array['2026-11-17', '2026-11-17', '2026-11-10', '2026-11-03', '2026-10-27']::date[], '2026-11-24') $$,
    $$ values (4.00, 4) $$, 'two values of one day are one');
select is_empty($$ select * from usual_of(null, null, '2026-11-24') $$, 'nothing is known');

insert into pages (host, path, title) values ('a.example', '/a', 'A'), ('a.example', '/b', 'B');
insert into snapshots (host, taken_at, row_limit, page_ids, visitors)
    select 'a.example', timestamptz '2026-01-01 00:00Z' + n * interval '1 minute', 2, array_agg(page_id order by path), pack_counts(array[10 + n, 4])
    from pages cross join generate_series(0, 2) n where host = 'a.example' group by n;
select roll_minutes('a.example', '2026-01-01 00:00Z'), roll_quarter('a.example', '2026-01-01 00:00Z');
select is((select totals[1:4] from minutes), '{1400,1500,1600,0}', 'the totals of the minutes');
select results_eq($$ select minutes, listed, sum, cutoff_sum, min, max, first, last, rise, fall from page_slots('a.example', 0, '-infinity', 'infinity') $$,
    $$ values (3, 3, 4500, 1200, 1400, 1600, 1400, 1600, 200, 0) $$, 'the site is page 0');
select results_eq($$ select minutes, listed, sum, cutoff_sum, max from page_slots('a.example', -1, '-infinity', 'infinity') $$,
    $$ values (3, 0, 0, 1200, null::integer) $$, 'a page that was never listed had at most the cut-off');
select is((select count(*) from page_quarters where host = 'a.example'), 2::bigint, 'page_quarters has the pages alone');

-- What an older release has rolled up.
update minutes set totals = null;
select roll_quarter('a.example', '2026-01-01 00:00Z');
select is_empty($$ select * from page_slots('a.example', 0, '-infinity', 'infinity') $$, 'then nothing is known of the site');
select is((select cutoff_sum from page_slots('a.example', -1, '-infinity', 'infinity')), null, 'nor what a page had that was not listed');
select is((select high from page_history('a.example', '/never', '2026-01-01 00:00Z', '2026-01-01 01:00Z', '1 hour')), null, 'and it says so');

select * from finish();
rollback;
