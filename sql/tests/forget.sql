-- What is forgotten: pages that stand in nothing any more that is kept.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create function pg_temp.months_ago(p_months integer) returns date language sql as $$
    select date_trunc('month', (clock_timestamp() - p_months * interval '1 month') at time zone 'UTC')::date
$$;

insert into hosts (host) values ('a.example'), ('b.example');
insert into refreshes (host) values ('a.example'), ('b.example');
insert into pages (host, path, title)
select h, p, 't' from unnest('{a.example,b.example}'::text[]) h cross join unnest('{/now,/edge,/old,/back,/new}'::text[]) p;
insert into page_months
select page_id, pg_temp.months_ago(case path when '/now' then 0 when '/edge' then 13 else 16 end) from pages where path <> '/new';
insert into titles (page_id, since, title) select page_id, pg_temp.months_ago(16), 't' from pages;
-- In a list that is not rolled up yet.
update history_progress set slot = clock_timestamp() - interval '15 minutes';
insert into snapshots (host, taken_at, row_limit, page_ids, visitors)
select host, clock_timestamp() - interval '1 minute', 100, array[page_id], pack_counts('{7}') from pages where path = '/back';

select throws_ok('select forget_pages(24, 14, 0, 500)', 'P0001', null, 'a period of nothing is none');
select is(forget_pages(24, 14, 17, 500), 0, 'roll-ups are kept for longer');
select is(forget_pages(24, 600, 1, 500), 0, 'or minutes');
select is(forget_pages(24 * 600, 1, 1, 500), 0, 'or snapshots');
select results_eq($$ select month from page_months join pages using (page_id) where path = '/new' $$,
    array[pg_temp.months_ago(0), pg_temp.months_ago(0)], 'a page that was never rolled up counts as seen now');
delete from page_months where page_id in (select page_id from pages where path = '/back');
select is(forget_pages(24, 14, 13, 1), 1, 'no more at a time than asked for');
insert into page_months select page_id, pg_temp.months_ago(16) from pages where path = '/back';
select is(forget_pages(24, 14, 13, 500), 1, 'the other host''s');
select results_eq($$ select host, path from pages order by 1, 2 $$,
    $$ select h, p from unnest('{a.example,b.example}'::text[]) h cross join unnest('{/back,/edge,/new,/now}'::text[]) p order by 1, 2 $$,
    'what was seen since, what is seen now, and what was never rolled up stay');
select is((select count(*) from titles), 8::bigint, 'and their headlines alone');

-- Rolled up, the page that came back is a page of this month.
insert into minutes (host, slot, samples, cutoffs, page_ids, visitors)
select host, date_bin('15 minutes', clock_timestamp(), 'epoch'), array_fill(1::smallint, '{15}'), array_fill(0, '{15}'), array[page_id], array_fill(700, '{15}')
from pages where path = '/back';
select roll_quarter(host, slot), note_months(host, slot) from minutes;
select results_eq($$ select month from page_months join pages using (page_id) where path = '/back' $$,
    array[pg_temp.months_ago(0), pg_temp.months_ago(0)], 'a roll-up notes its month');
delete from snapshots;
select is(forget_pages(24, 14, 13, 500), 0, 'no page is left');

-- Roll-ups lag.
update page_months set month = pg_temp.months_ago(16);
update history_progress set slot = clock_timestamp() - interval '2 hours';
select is(forget_pages(24, 14, 13, 500), 0, 'nothing while roll-ups lag');
update history_progress set slot = null;
select is(forget_pages(24, 14, 13, 500), 8, 'all of them in the end');

select * from finish();
rollback;
