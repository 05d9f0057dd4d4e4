-- What is forgotten: pages that stand in no roll-up any more, and headlines that were over before.
begin;
set local client_min_messages = warning;
create extension if not exists pgtap;
select no_plan();

create function pg_temp.months_ago(p_months integer) returns date language sql as $$
    select date_trunc('month', (clock_timestamp() - p_months * interval '1 month') at time zone 'UTC')::date
$$;

insert into hosts (host) values ('a.example'), ('b.example');
insert into refills (host) values ('a.example'), ('b.example');
insert into pages (host, path, title)
select h, p, 't' from unnest('{a.example,b.example}'::text[]) h cross join unnest('{/now,/edge,/old,/back,/new}'::text[]) p;
insert into page_months
select page_id, pg_temp.months_ago(case path when '/now' then 0 when '/edge' then 13 else 14 end) from pages where path <> '/new';
insert into titles (page_id, since, title)
select page_id, pg_temp.months_ago(m), m::text from pages cross join unnest('{20,17,14,13,2}'::integer[]) m where path in ('/now', '/old');
-- In a list that is not rolled up yet.
update history_progress set slot = clock_timestamp() - interval '15 minutes';
insert into snapshots (host, taken_at, row_limit, page_ids, visitors)
select host, clock_timestamp() - interval '1 minute', 100, array[page_id], pack_counts('{7}') from pages where path = '/back';

select throws_ok('select forget_pages(0)', 'P0001', null, 'a period of nothing is none');
select is(forget_pages(14), 0, 'kept for a month longer, none is to be forgotten');
select results_eq($$ select distinct title::integer from titles order by 1 desc $$, $$ values (20), (14), (13), (2) $$,
    'but a headline that was over when the roll-ups begin');
select is(forget_pages(13), 1, 'the first host''s');
select results_eq($$ select path from pages where host = 'a.example' order by 1 $$,
    $$ values ('/back'::text), ('/edge'), ('/new'), ('/now') $$, 'what was seen since, what is seen now, and what was never rolled up stay');
select is((select count(*) from pages where host = 'b.example'), 5::bigint, 'nothing of another host yet');

-- Rolled up, the page that came back is a page of this month.
insert into minutes (host, slot, samples, cutoffs, page_ids, visitors)
select host, date_bin('15 minutes', clock_timestamp(), 'epoch'), array_fill(1::smallint, '{15}'), array_fill(0, '{15}'), array[page_id], array_fill(700, '{15}')
from pages where path = '/back';
select roll_quarter(host, slot), note_months(host, slot) from minutes;
select is((select array_agg(month) from page_months join pages using (page_id) where path = '/back'),
    array[pg_temp.months_ago(0), pg_temp.months_ago(0)], 'a roll-up notes its month');
select is(forget_pages(13), 1, 'the second host''s');
select is((select count(*) from titles join pages using (page_id) where path = '/now'), 8::bigint, 'headlines come last');
select is(forget_pages(13), 0, 'no page is left');
select results_eq($$ select distinct title::integer from titles order by 1 desc $$, $$ values (20), (13), (2) $$,
    'the first headline, the one that held when the roll-ups begin, and the later ones stay');
select is((select count(*) from pages), 8::bigint, 'and the pages');
select is(forget_pages(13), 0, 'again: nothing');

select * from finish();
rollback;
