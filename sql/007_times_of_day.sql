-- What is remembered, as people ask for it: history, hours, profile, what is usual, the list of a minute, the hosts of a key.
-- Each endpoint of that kind is one function here, which psql can call too. Counts are visitors, to hundredths.

-- The site as a whole is rolled up beside its pages, as page 0.

alter table minutes add column totals integer[] check (cardinality(totals) = 15);
alter table minutes alter column totals set compression pglz, alter column totals set storage main;
comment on column minutes.totals is 'For each minute the mean of the snapshots'' sums, in hundredths of a visitor, at most a million visitors; null: rolled up before this was kept.';
do $$ declare part regclass; begin
    for part in select inhrelid from pg_inherits where inhparent = 'minutes'::regclass loop
        execute format('comment on column %s.totals is %L', part, 'See minutes.');
    end loop;
end $$;
comment on column quarters.page_ids is 'Pages that were listed in it, by number; 0, where it is, stands first and is the whole site.';
comment on column quarters.cutoff_sum is 'Sum of the cut-offs over the known minutes in which it was not listed; of the whole site: over all of them.';

create function minute_totals(p_host text, p_from timestamptz, p_to timestamptz) returns table (minute timestamptz, total integer)
language sql stable as $$
    select date_trunc('minute', s.taken_at), least(round(100.0 * avg(t.total)), 100000000)::integer
    from snapshots s cross join lateral (select coalesce(sum(v), 0) as total from unnest(unpack_counts(s.visitors)) v) t
    where s.host = p_host and s.taken_at >= p_from and s.taken_at < p_to
    group by 1
$$;
comment on function minute_totals is 'Visitors of all listed pages together, in hundredths: the mean of each minute''s snapshots, from p_from (included) to p_to.';

create or replace function roll_minutes(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into minutes (host, slot, samples, cutoffs, totals, page_ids, visitors)
    with means as materialized (
        select (extract(epoch from minute - p_slot) / 60)::integer as at, samples, cutoff, page_id, visitors
        from minute_means(p_host, p_slot, p_slot + interval '15 minutes')
    ), grid as (
        select p.page_id, a.at, coalesce(m.visitors, -1) as visitors
        from (select distinct page_id from means where page_id is not null) p
        cross join generate_series(0, 14) a (at)
        left join means m on m.page_id = p.page_id and m.at = a.at
    ), covered as (
        select a.at, coalesce(max(m.samples), 0) as samples, coalesce(max(m.cutoff), 0) as cutoff
        from generate_series(0, 14) a (at) left join means m on m.at = a.at group by a.at
    ), totals as (
        select a.at, coalesce(t.total, 0) as total
        from generate_series(0, 14) a (at)
        left join minute_totals(p_host, p_slot, p_slot + interval '15 minutes') t on t.minute = p_slot + a.at * interval '1 minute'
    )
    select p_host, p_slot,
           (select array_agg(samples::smallint order by at) from covered), (select array_agg(cutoff order by at) from covered),
           (select array_agg(total order by at) from totals),
           coalesce((select array_agg(distinct page_id) from grid), '{}'),
           coalesce((select array_agg(visitors order by page_id, at) from grid), '{}')
    where exists (select from means)
    on conflict (host, slot) do update set
        samples = excluded.samples, cutoffs = excluded.cutoffs, totals = excluded.totals, page_ids = excluded.page_ids, visitors = excluded.visitors
$$;

create or replace function roll_quarter(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into quarters
    with points as (
        select p.page_id, a.at, m.visitors[15 * (p.rank - 1) + a.at + 1] as visitors, m.cutoffs[a.at + 1] as cutoff
        from minutes m
        cross join lateral unnest(m.page_ids) with ordinality p (page_id, rank)
        cross join generate_series(0, 14) a (at)
        where m.host = p_host and m.slot = p_slot and m.samples[a.at + 1] > 0
        union all
        select 0, a.at, m.totals[a.at + 1], m.cutoffs[a.at + 1]
        from minutes m cross join generate_series(0, 14) a (at)
        where m.host = p_host and m.slot = p_slot and m.samples[a.at + 1] > 0 and m.totals is not null
    ), steps as (
        select *, case when visitors >= 0 and lag(visitors) over w >= 0 and lag(at) over w = at - 1
                       then visitors - lag(visitors) over w else 0 end as step
        from points window w as (partition by page_id order by at)
    ), rolled as (
        select page_id,
               count(*) filter (where visitors >= 0) as listed,
               coalesce(sum(visitors) filter (where visitors >= 0), 0) as sum,
               coalesce(sum(cutoff) filter (where visitors < 0 or page_id = 0), 0) as cutoff_sum,
               min(visitors) filter (where visitors >= 0) as min, max(visitors) as max,
               (array_agg(visitors order by at) filter (where visitors >= 0))[1] as first,
               min(at) filter (where visitors >= 0) as first_at,
               (array_agg(visitors order by at desc) filter (where visitors >= 0))[1] as last,
               max(at) filter (where visitors >= 0) as last_at,
               coalesce(sum(step) filter (where step > 0), 0) as rise, coalesce(-sum(step) filter (where step < 0), 0) as fall
        from steps group by page_id
    )
    select p_host, p_slot, (select count(*) from minutes m, unnest(m.samples) n where m.host = p_host and m.slot = p_slot and n > 0),
           coalesce(array_agg(page_id order by page_id), '{}'), coalesce(array_agg(listed::smallint order by page_id), '{}'),
           coalesce(array_agg(sum::integer order by page_id), '{}'), coalesce(array_agg(cutoff_sum::integer order by page_id), '{}'),
           coalesce(array_agg(min order by page_id), '{}'), coalesce(array_agg(max order by page_id), '{}'),
           coalesce(array_agg(first order by page_id), '{}'), coalesce(array_agg(first_at::smallint order by page_id), '{}'),
           coalesce(array_agg(last order by page_id), '{}'), coalesce(array_agg(last_at::smallint order by page_id), '{}'),
           coalesce(array_agg(rise::integer order by page_id), '{}'), coalesce(array_agg(fall::integer order by page_id), '{}')
    from rolled
    having exists (select from minutes m where m.host = p_host and m.slot = p_slot)
    on conflict (host, slot) do update set
        minutes = excluded.minutes, page_ids = excluded.page_ids, listed = excluded.listed, sum = excluded.sum,
        cutoff_sum = excluded.cutoff_sum, min = excluded.min, max = excluded.max, first = excluded.first, first_at = excluded.first_at,
        last = excluded.last, last_at = excluded.last_at, rise = excluded.rise, fall = excluded.fall
$$;

-- Who and when -----------------------------------------------------------------------------------------------------------------

create function page_number(p_host text, p_path text) returns integer
language sql stable as $$
    select case when p_path is null then 0 else coalesce((select page_id from pages where host = p_host and path = p_path), -1) end
$$;
comment on function page_number is 'The number of a page; 0 for the whole site (no path), -1 for a page that was never seen.';

create function first_seen(p_page integer) returns timestamptz
language sql stable as $$
    select case when p_page = 0 then '-infinity' else coalesce((select min(since) from titles where page_id = p_page), 'infinity') end
$$;
comment on function first_seen is 'Since when there is this page; the whole site was always there.';

create function zone_of(p_host text, p_time_zone text) returns text
language sql stable as $$
    select case when p_time_zone is null then (select time_zone from hosts where host = p_host)
                when is_time_zone(p_time_zone) then p_time_zone end
$$;
comment on function zone_of is 'The time zone that is meant: the given one, else the host''s. Null: there is none of that name.';

create function utc_text(p_at timestamptz) returns text
language sql immutable as $$ select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;
comment on function utc_text is 'A time as in RFC 3339.';

create function local_text(p_at timestamptz, p_time_zone text) returns text
language sql immutable as $$
    select to_char(p_at at time zone p_time_zone, 'YYYY-MM-DD"T"HH24:MI:SS') || case when m < 0 then '-' else '+' end
           || lpad((abs(m) / 60)::text, 2, '0') || ':' || lpad((abs(m) % 60)::text, 2, '0')
    from (select (extract(epoch from (p_at at time zone p_time_zone) - (p_at at time zone 'UTC')) / 60)::integer) o (m)
$$;
comment on function local_text is 'A time as in RFC 3339, by the clocks of a time zone.';

-- Minutes and quarters of one page or of the site ----------------------------------------------------------------------------------

create function page_means(p_host text, p_page integer, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, visitors integer, cutoff integer)
language sql stable as $$
    with rolled as materialized (
        select coalesce((select max(slot) + interval '15 minutes' from minutes where host = p_host), '-infinity') as until
    )
    select m.slot + a.at * interval '1 minute',
           case when p_page = 0 then m.totals[a.at + 1] else nullif(m.visitors[15 * (n.rank - 1) + a.at + 1], -1) end,
           m.cutoffs[a.at + 1]
    from minutes m
    cross join lateral (select array_position(m.page_ids, p_page) offset 0) n (rank)
    cross join generate_series(0, 14) a (at)
    where m.host = p_host and m.slot > p_from - interval '15 minutes' and m.slot < p_to and m.samples[a.at + 1] > 0
      and m.slot + a.at * interval '1 minute' >= p_from and m.slot + a.at * interval '1 minute' < p_to
    union all
    select n.minute, case when p_page = 0 then t.total else n.visitors end, n.cutoff
    from (select m.minute, max(m.visitors) filter (where m.page_id = p_page) as visitors, max(m.cutoff) as cutoff
          from rolled r cross join lateral minute_means(p_host, greatest(p_from, r.until), p_to) m group by m.minute) n
    left join (select x.* from rolled r cross join lateral minute_totals(p_host, greatest(p_from, r.until), p_to) x) t using (minute)
    order by 1
$$;
comment on function page_means is
'The known minutes from p_from (included, a whole minute) to p_to: the mean of one page (null: not listed) or of the site (0), and the cut-off, in
hundredths. Those of the running quarter too.';

create function page_slots(p_host text, p_page integer, p_from timestamptz, p_to timestamptz)
returns table (slot timestamptz, minutes integer, listed integer, sum integer, cutoff_sum integer, min integer, max integer,
               first integer, first_at timestamptz, last integer, last_at timestamptz, rise integer, fall integer)
language sql stable as $$
    select q.slot, q.minutes, coalesce(q.listed[n], 0), coalesce(q.sum[n], 0),
           case when n is not null then q.cutoff_sum[n] when q.page_ids[1] = 0 then q.cutoff_sum[1] end, q.min[n], q.max[n],
           q.first[n], q.slot + q.first_at[n] * interval '1 minute', q.last[n], q.slot + q.last_at[n] * interval '1 minute',
           coalesce(q.rise[n], 0), coalesce(q.fall[n], 0)
    from quarters q cross join lateral (select array_position(q.page_ids, p_page) offset 0) p (n)
    where q.host = p_host and q.slot >= p_from and q.slot < p_to and (p_page <> 0 or q.page_ids[1] = 0)
$$;
comment on function page_slots is
'The roll-ups of 15 minutes from p_from (included) to p_to, of one page or of the site (0), a page that was not listed too. Hundredths of a visitor.';

-- Endpoints --------------------------------------------------------------------------------------------------------------------

create function page_history(p_host text, p_path text, p_from timestamptz, p_to timestamptz, p_step interval)
returns table (t timestamptz, visitors numeric, low numeric, high numeric)
language sql stable as $$
    with page as materialized (select page_number(p_host, p_path) as number), steps as (
        select m.minute as t, 1 as minutes, (m.visitors is not null)::integer as listed, coalesce(m.visitors, 0) as sum,
               case when p.number = 0 or m.visitors is null then m.cutoff else 0 end as cutoff_sum
        from page p cross join lateral page_means(p_host, p.number, date_bin(p_step, p_from, 'epoch'), p_to) m
        where p_step < interval '15 minutes' and (p.number <> 0 or m.visitors is not null)
        union all
        select date_bin(p_step, s.slot, 'epoch'), sum(s.minutes)::integer, sum(s.listed)::integer, sum(s.sum), sum(s.cutoff_sum)
        from page p cross join lateral page_slots(p_host, p.number, date_bin(p_step, p_from, 'epoch'), p_to) s
        where p_step >= interval '15 minutes' group by 1
    )
    select s.t, round(s.sum / 100.0 / nullif(s.listed, 0), 2), round(s.sum / 100.0 / s.minutes, 2),
           case when p.number <> 0 then round((s.sum + s.cutoff_sum) / 100.0 / s.minutes, 2)
                when s.cutoff_sum = 0 then round(s.sum / 100.0 / s.minutes, 2) end
    from steps s cross join page p order by 1
$$;
comment on function page_history is
'Steps of a minute, or of some quarters of an hour, from p_from (included) to p_to, of a page or of the site (no path). visitors: the mean while it was
listed, null where it never was; low: the mean if it had nobody else; high: if it had the cut-off; of the site null where pages below the cut-off are not known.';

create function headline_changes(p_host text, p_path text, p_from timestamptz, p_to timestamptz)
returns table (t timestamptz, path text, title text, was text)
language sql stable as $$
    select c.since, c.path, c.title, c.was
    from (select p.path, l.since, l.title, lag(l.title) over (partition by l.page_id order by l.since) as was
          from pages p join titles l using (page_id)
          where p.host = p_host and (p_path is null or p.path = p_path)) c
    where c.since >= p_from and c.since < p_to and c.was is not null
    order by c.since, c.path collate "C"
$$;
comment on function headline_changes is 'New titles of a page, or of all pages of the site (no path), from p_from (included) to p_to.';

create function page_hours(p_host text, p_path text, p_from timestamptz, p_to timestamptz, p_time_zone text)
returns table (hour timestamptz, minutes integer, listed integer, sum numeric, cutoff_sum numeric, avg_listed numeric, avg_low numeric, avg_high numeric,
               min numeric, max numeric, first numeric, first_at timestamptz, last numeric, last_at timestamptz, rise numeric, fall numeric,
               change numeric, change_prev numeric)
language sql stable as $$
    with page as materialized (
        select page_number(p_host, p_path) as number,
               p_from - ((p_from at time zone p_time_zone) - date_trunc('hour', p_from at time zone p_time_zone)) as since
    ), slots as (
        select s.*, s.slot - ((s.slot at time zone p_time_zone) - date_trunc('hour', s.slot at time zone p_time_zone)) as hour
        from page p cross join lateral page_slots(p_host, p.number, p.since - interval '1 hour', p_to + interval '1 hour') s
    ), hours as (
        select s.hour, sum(s.minutes) as minutes, sum(s.listed) as listed, sum(s.sum) as sum, sum(s.cutoff_sum) as cutoff_sum, min(s.min) as min, max(s.max) as max,
               (array_agg(s.first order by s.slot) filter (where s.listed > 0))[1] as first, min(s.first_at) as first_at,
               (array_agg(s.last order by s.slot desc) filter (where s.listed > 0))[1] as last, max(s.last_at) as last_at,
               sum(s.rise) as rise, sum(s.fall) as fall
        from slots s group by s.hour
    ), figures as (
        select h.*, round(h.sum / 100.0 / h.minutes, 2) as avg_low,
               case when lag(h.hour) over w >= h.hour - interval '1 hour' then lag(round(h.sum / 100.0 / h.minutes, 2)) over w end as before
        from hours h window w as (order by h.hour)
    )
    select f.hour, f.minutes::integer, f.listed::integer, f.sum / 100.0, f.cutoff_sum / 100.0, round(f.sum / 100.0 / nullif(f.listed, 0), 2), f.avg_low,
           case when p.number <> 0 then round((f.sum + f.cutoff_sum) / 100.0 / f.minutes, 2) when f.cutoff_sum = 0 then f.avg_low end,
           f.min / 100.0, f.max / 100.0, f.first / 100.0, f.first_at, f.last / 100.0, f.last_at, f.rise / 100.0, f.fall / 100.0,
           (f.last - f.first) / 100.0, f.avg_low - f.before
    from figures f cross join page p
    where f.hour >= p.since and f.hour < p_to order by 1
$$;
comment on function page_hours is
'Local hours from that of p_from to p_to, of a page or of the site (no path), made of the roll-ups of 15 minutes. An hour that the clocks repeat is two.
avg_listed = sum / listed, avg_low = sum / minutes, avg_high = (sum + cutoff_sum) / minutes, change = last - first, change_prev = avg_low less that of the hour
before. avg_high of the site is null where pages below the cut-off are not known.';

create function page_profile(p_host text, p_path text, p_days integer, p_time_zone text, p_now timestamptz default clock_timestamp())
returns table (hour integer, days integer, median numeric, p25 numeric, p75 numeric, mean numeric, min numeric, max numeric, change numeric)
language sql stable as $$
    with bounds as materialized (
        select date_trunc('day', p_now at time zone p_time_zone) as today, first_seen(page_number(p_host, p_path)) as since
    ), values_of_days as (
        select (h.hour at time zone p_time_zone)::date as day, extract(hour from h.hour at time zone p_time_zone)::integer as hour,
               avg(h.avg_low) as value, avg(h.change) as change
        from bounds b
        cross join lateral page_hours(p_host, p_path, (b.today - p_days * interval '1 day') at time zone p_time_zone, b.today at time zone p_time_zone, p_time_zone) h
        where h.minutes >= 30 and h.hour + interval '1 hour' > b.since
        group by 1, 2
    )
    select o.hour, count(v.value)::integer,
           round(percentile_cont(0.5) within group (order by v.value)::numeric, 2), round(percentile_cont(0.25) within group (order by v.value)::numeric, 2),
           round(percentile_cont(0.75) within group (order by v.value)::numeric, 2),
           round(avg(v.value), 2), round(min(v.value), 2), round(max(v.value), 2), round(percentile_cont(0.5) within group (order by v.change)::numeric, 2)
    from generate_series(0, 23) o (hour) left join values_of_days v on v.hour = o.hour
    group by o.hour order by o.hour
$$;
comment on function page_profile is
'For each local hour the days of the p_days before today, since the page was first seen, of which at least 30 minutes are known, and over these: quartiles,
mean, smallest and largest of avg_low (see page_hours), and the median of change. An hour that the clocks repeat is averaged, a missing one left out.';

create function usual_days(p_at timestamptz, p_time_zone text) returns table (slot timestamptz, day date)
language sql stable as $$
    select c.slot, (c.slot at time zone p_time_zone)::date
    from (select date_bin('15 minutes', p_at, 'epoch') as slot) now
    cross join lateral (select distinct (now.slot at time zone p_time_zone - d * interval '1 day') at time zone p_time_zone + o * interval '30 minutes' as slot
                        from generate_series(1, 56) d cross join generate_series(-2, 2) o) c
    where (c.slot at time zone p_time_zone)::time = (now.slot at time zone p_time_zone)::time
      and (c.slot at time zone p_time_zone)::date between (now.slot at time zone p_time_zone)::date - 56 and (now.slot at time zone p_time_zone)::date - 1
$$;
comment on function usual_days is
'The quarter of an hour of p_at, by the clocks of a time zone, on each of the 56 days before: none on a day that leaves it out, two on one that repeats it.';

create function usual_of(p_values numeric[], p_days date[], p_day date) returns table (usual numeric, low numeric, high numeric, basis text, n integer)
language sql immutable as $$
    with given as (
        select d as day, avg(v) as value from unnest(p_values, p_days) g (v, d) where v is not null group by d
    ), choices as (
        select 1 as place, 'weekday' as basis, 4 as least, value from given where extract(isodow from day) = extract(isodow from p_day)
        union all
        select 2, case when extract(isodow from p_day) < 6 then 'weekdays' else 'weekend' end, 5, value from given
        where (extract(isodow from day) < 6) = (extract(isodow from p_day) < 6)
    )
    select round(percentile_cont(0.5) within group (order by value)::numeric, 2), round(percentile_cont(0.25) within group (order by value)::numeric, 2),
           round(percentile_cont(0.75) within group (order by value)::numeric, 2), min(basis), count(*)::integer
    from choices group by place having count(*) >= min(least) order by place limit 1
$$;
comment on function usual_of is
'The quartiles of the values on days of the same weekday (from 4 values on), else on weekdays or on weekend days (from 5), and which it was: basis weekday,
weekdays or weekend. No row: too few. Values of one day are averaged.';

create function page_usual(p_host text, p_path text, p_time_zone text)
returns table (as_of timestamptz, slot timestamptz, visitors integer, rank integer, usual numeric, usual_low numeric, usual_high numeric, vs_usual numeric,
               basis text, n integer, usual_for_rank numeric)
language sql stable as $$
    with page as materialized (select page_number(p_host, p_path) as number), newest as materialized (
        select s.taken_at, date_bin('15 minutes', s.taken_at, 'epoch') as slot, s.page_ids, unpack_counts(s.visitors) as visitors, n.rank
        from page p cross join cache c join snapshots s using (host, taken_at)
        cross join lateral (select array_position(s.page_ids, p.number) as rank) n
        where c.host = p_host
    ), now as materialized (
        select n.taken_at, n.slot, n.rank, (n.slot at time zone p_time_zone)::date as day,
               case when p.number = 0 then (select coalesce(sum(v), 0) from unnest(n.visitors) v)
                    else coalesce(n.visitors[n.rank], 0) end as visitors
        from newest n cross join page p
    ), past as materialized (
        select d.day, q.*, array_position(q.page_ids, p.number) as place
        from now n cross join page p cross join lateral usual_days(n.taken_at, p_time_zone) d
        join quarters q on q.host = p_host and q.slot = d.slot
        where q.slot + interval '15 minutes' > first_seen(p.number) or n.rank is not null
    ), own as (
        select u.* from now n cross join page p
        cross join lateral (select array_agg(coalesce(q.sum[q.place], 0) / 100.0 / q.minutes) as values, array_agg(q.day) as days from past q
                            where q.slot + interval '15 minutes' > first_seen(p.number) and (p.number <> 0 or q.place is not null)) v
        cross join lateral usual_of(v.values, v.days, n.day) u
    ), of_rank as (
        select u.usual from now n
        cross join lateral (select array_agg((select s from unnest(q.page_ids, q.sum) x (id, s) where id <> 0 order by s desc offset n.rank - 1 limit 1) / 100.0 / q.minutes) as values,
                                   array_agg(q.day) as days
                            from past q where n.rank is not null) v
        cross join lateral usual_of(v.values, v.days, n.day) u
        where n.rank is not null
    )
    select n.taken_at, n.slot, n.visitors::integer, n.rank, o.usual, o.low, o.high, round(n.visitors / nullif(o.usual, 0), 4), o.basis, coalesce(o.n, 0), r.usual
    from now n left join own o on true left join of_rank r on true
$$;
comment on function page_usual is
'What a page or the site (no path) has now, and what is usual at this quarter of an hour by the site''s clocks: quartiles of avg_low over the same weekday of
the last 8 weeks, or see usual_of; of days since the page was first seen. usual_for_rank: what the page of its rank usually has then.';

create function pages_at(p_host text, p_at timestamptz)
returns table (minute timestamptz, samples integer, cutoff numeric, rank integer, path text, title text, visitors numeric)
language sql stable as $$
    with rolled as materialized (
        select coalesce((select max(slot) + interval '15 minutes' from minutes where host = p_host), '-infinity') as until
    ), known as materialized (
        select max(k.minute) as minute from (
            select m.slot + a.at * interval '1 minute' as minute from minutes m cross join generate_series(0, 14) a (at)
            where m.host = p_host and m.slot > p_at - interval '75 minutes' and m.slot <= p_at and m.samples[a.at + 1] > 0
            union all
            select date_trunc('minute', s.taken_at) from rolled r, snapshots s
            where s.host = p_host and s.taken_at >= greatest(r.until, p_at - interval '1 hour') and s.taken_at < p_at + interval '1 minute') k
        where k.minute <= p_at and k.minute > p_at - interval '1 hour'
    ), means as (
        select k.minute, m.samples[a.at] as samples, m.cutoffs[a.at] as cutoff, n.page_id, m.visitors[15 * (n.rank - 1) + a.at] as visitors
        from known k join minutes m on m.host = p_host and m.slot = date_bin('15 minutes', k.minute, 'epoch')
        cross join lateral (select (extract(epoch from k.minute - m.slot) / 60)::integer + 1) a (at)
        left join lateral unnest(m.page_ids) with ordinality n (page_id, rank) on m.visitors[15 * (n.rank - 1) + a.at] >= 0
        union all
        select m.minute, m.samples, m.cutoff, m.page_id, m.visitors
        from known k cross join rolled r cross join lateral minute_means(p_host, k.minute, k.minute + interval '1 minute') m where k.minute >= r.until
    )
    select m.minute, m.samples::integer, m.cutoff / 100.0, case when p.page_id is not null then row_number() over (order by m.visitors desc nulls last, p.path collate "C") end::integer,
           p.path, coalesce((select l.title from titles l where l.page_id = m.page_id and l.since < m.minute + interval '1 minute' order by l.since desc limit 1), p.title),
           m.visitors / 100.0
    from means m left join pages p on p.page_id = m.page_id
    order by m.visitors desc nulls last, p.path collate "C"
$$;
comment on function pages_at is
'The list as it stood at the minute of p_at, or at the last known one of the hour before it: minute means by visitors descending, then path, with the titles
of that time. One row without a page where the list was empty; none where nothing is known.';

create function key_hosts(p_digest bytea)
returns table (host text, as_of timestamptz, age interval, poll_every interval, next_poll timestamptz, failures integer, last_error text, left_alone text)
language sql stable as $$
    select k.host, c.taken_at, clock_timestamp() - c.taken_at, e.every, case when a.why is null then next_poll(k.host, c.taken_at, e.every) end,
           r.failures, case when r.failures > 0 then r.last_error end, a.why
    from key_checks k join hosts h using (host) left join refills r using (host) left join cache c using (host)
    cross join lateral (select poll_interval(h.poll_every, h.asked_at, clock_timestamp())) e (every)
    cross join lateral (select left_alone(true, h.asked_at, clock_timestamp())) a (why)
    where k.digest = p_digest and k.accepted
    order by k.host
$$;
comment on function key_hosts is 'The hosts that a key was accepted for, and how fresh each is. By the SHA-256 of the key.';
create index key_checks_digest on key_checks (digest) where accepted;
comment on index key_checks_digest is 'The hosts of a key.';

-- Each plan is for one host, and made once a connection, maybe while the tables are small: by key, as in 004.
alter function page_means set enable_seqscan = off;
alter function page_slots set enable_seqscan = off;
alter function headline_changes set enable_seqscan = off;
