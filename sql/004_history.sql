-- What is remembered, and who is asked when: minute means, roll-ups of 15 minutes, partitions, polls.

-- Bytes of a snapshot with 100 pages: 1,949 before, 1,373 after. pglz finds the three-byte runs of small integers that lz4 misses, and
-- storage main keeps the row in one piece.
alter table snapshots
    alter column page_ids set storage main, alter column visitors set storage main, alter column sources set storage main,
    alter column visitors set compression pglz, alter column sources set compression pglz;
alter table snapshots_default set (toast_tuple_target = 128);
create index snapshots_taken_at on snapshots using brin (taken_at) with (pages_per_range = 8);
comment on index snapshots_taken_at is 'The hosts of a quarter, without a look at the rest of the day.';

-- Its plans are made once a connection, maybe while the tables are small, and must stay good when they have grown: look up each page by
-- its key. A round of 1,000 new hosts took 35 s without this.
alter function publish_refill set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off;

create function is_time_zone(p_name text) returns boolean
language plpgsql immutable as $$
begin
    perform timestamptz 'epoch' at time zone p_name;
    return p_name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$'; -- PostgreSQL takes rules like FOO5BAR too
exception when invalid_parameter_value then
    return false;
end $$;
comment on function is_time_zone is 'Is this the name of an IANA time zone? By asking for one time in it: pg_timezone_names reads hundreds of files.';

alter table hosts
    add column poll_every interval check (poll_every between '100 ms' and '1 hour'),
    add column time_zone  text not null default 'UTC' check (is_time_zone(time_zone));
comment on column hosts.poll_every is 'How often the collector asks; null: every minute for an hour after somebody asked us, else every hour.';
comment on column hosts.time_zone is 'Time zone of the site (IANA), for its times of day.';

create table minutes (
    host     text        not null,
    slot     timestamptz not null,
    samples  smallint[]  not null check (cardinality(samples) = 15),
    cutoffs  integer[]   not null check (cardinality(cutoffs) = 15),
    page_ids integer[]   not null,
    visitors integer[]   not null,
    primary key (host, slot),
    check (cardinality(visitors) = 15 * cardinality(page_ids))
) partition by range (slot);
create table minutes_default partition of minutes default with (toast_tuple_target = 128);
comment on table  minutes is 'One-minute means, a quarter of an hour of one host a row. For people: the view page_minutes.';
comment on column minutes.host is 'Host name.';
comment on column minutes.slot is 'Start of the quarter of an hour.';
comment on column minutes.samples is 'Snapshots of each of the 15 minutes; 0: an outage, and nothing is known of that minute.';
comment on column minutes.cutoffs is 'For each minute what a page that was not listed had at most, in hundredths of a visitor: the mean over its snapshots of the smallest count of a full list, and of 0 for a short one.';
comment on column minutes.page_ids is 'Pages that were listed in the quarter, by number.';
comment on column minutes.visitors is 'Their means in hundredths of a visitor, 15 a page, -1 where it was not listed in that minute. At most a million visitors.';

create table quarters (
    host       text        not null,
    slot       timestamptz not null,
    minutes    smallint    not null,
    page_ids   integer[]   not null,
    listed     smallint[]  not null,
    sum        integer[]   not null,
    cutoff_sum integer[]   not null,
    min        integer[]   not null,
    max        integer[]   not null,
    first      integer[]   not null,
    first_at   smallint[]  not null,
    last       integer[]   not null,
    last_at    smallint[]  not null,
    rise       integer[]   not null,
    fall       integer[]   not null,
    primary key (host, slot)
) partition by range (slot);
create table quarters_default partition of quarters default;
comment on table  quarters is 'Roll-ups of 15 minutes, made of minute means, a row for each host and quarter. Counts are in hundredths of a visitor. For people: the view page_quarters.';
comment on column quarters.host is 'Host name.';
comment on column quarters.slot is 'Start of the quarter of an hour.';
comment on column quarters.minutes is 'Minutes of it of which anything is known.';
comment on column quarters.page_ids is 'Pages that were listed in it, by number.';
comment on column quarters.listed is 'Minutes in which the page was listed.';
comment on column quarters.sum is 'Sum of its means over these.';
comment on column quarters.cutoff_sum is 'Sum of the cut-offs over the known minutes in which it was not listed.';
comment on column quarters.min is 'Smallest of its means.';
comment on column quarters.max is 'Largest of its means.';
comment on column quarters.first is 'Mean of the first minute in which it was listed.';
comment on column quarters.first_at is 'That minute, 0 to 14.';
comment on column quarters.last is 'Mean of the last minute in which it was listed.';
comment on column quarters.last_at is 'That minute, 0 to 14.';
comment on column quarters.rise is 'Sum of the steps up from one minute to the very next.';
comment on column quarters.fall is 'Sum of the steps down, above 0.';

do $$ declare t text; c text; begin
    foreach t in array array['minutes', 'quarters'] loop
        execute format('comment on table %I is %L', t || '_default', 'Where no partition was made in time.');
        for c in select attname from pg_attribute where attrelid = t::regclass and attnum > 0 and attname not in ('host', 'slot') loop
            if (select atttypid::regtype::text like '%[]' from pg_attribute where attrelid = t::regclass and attname = c) then
                execute format('alter table %I alter column %I set compression pglz', t, c);
                if t = 'minutes' then -- of the two ways to fit pages of 8 kB, what measured smaller
                    execute format('alter table %I alter column %I set storage main', t, c);
                end if;
            end if;
        end loop;
        for c in select attname from pg_attribute where attrelid = t::regclass and attnum > 0 loop
            execute format('comment on column %I.%I is %L', t || '_default', c, 'See ' || t || '.');
        end loop;
    end loop;
end $$;

create table history_progress (
    only_row boolean     primary key default true check (only_row),
    slot     timestamptz,
    host     text
);
insert into history_progress default values;
comment on table  history_progress is 'How far the roll-up has come. Whoever locks the row does it.';
comment on column history_progress.only_row is 'There is one row.';
comment on column history_progress.slot is 'The quarter that is rolled up next, or now.';
comment on column history_progress.host is 'The last host of it that is done.';

-- Means ------------------------------------------------------------------------------------------------------------------------

create function minute_means(p_host text, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, samples smallint, cutoff integer, page_id integer, visitors integer)
language sql stable as $$
    with taken as (
        select date_trunc('minute', s.taken_at) as minute, s.page_ids, s.visitors,
               case when cardinality(s.page_ids) >= s.row_limit then (select min(v) from unnest(s.visitors) v) else 0 end as cutoff
        from snapshots s where s.host = p_host and s.taken_at >= p_from and s.taken_at < p_to
    ), covered as (
        select minute, count(*) as samples, sum(cutoff) as cutoff_sum from taken group by minute
    ), listed as (
        select t.minute, n.page_id, sum(n.visitors) as visitor_sum, sum(t.cutoff) as cutoff_sum
        from taken t cross join lateral unnest(t.page_ids, t.visitors) n (page_id, visitors)
        group by t.minute, n.page_id
    )
    select c.minute, c.samples::smallint, round(100.0 * c.cutoff_sum / c.samples)::integer, l.page_id,
           least(round(100.0 * (l.visitor_sum + c.cutoff_sum - l.cutoff_sum) / c.samples), 100000000)::integer
    from covered c left join listed l using (minute)
$$;
comment on function minute_means is
'The one-minute means of a host''s snapshots from p_from (included) to p_to, in hundredths of a visitor. A page that stood in some of a minute''s
snapshots counts in the others with their cut-off. A minute whose snapshots are empty has one row without a page; one without snapshots has none.';

create function roll_quarter(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into quarters
    with points as (
        select p.page_id, a.at, m.visitors[15 * (p.rank - 1) + a.at + 1] as visitors, m.cutoffs[a.at + 1] as cutoff
        from minutes m
        cross join lateral unnest(m.page_ids) with ordinality p (page_id, rank)
        cross join generate_series(0, 14) a (at)
        where m.host = p_host and m.slot = p_slot and m.samples[a.at + 1] > 0
    ), steps as (
        select *, case when visitors >= 0 and lag(visitors) over w >= 0 and lag(at) over w = at - 1
                       then visitors - lag(visitors) over w else 0 end as step
        from points window w as (partition by page_id order by at)
    ), rolled as (
        select page_id,
               count(*) filter (where visitors >= 0) as listed,
               coalesce(sum(visitors) filter (where visitors >= 0), 0) as sum,
               coalesce(sum(cutoff) filter (where visitors < 0), 0) as cutoff_sum,
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
comment on function roll_quarter is 'Makes one roll-up, or makes it anew, from the minute means. Nothing without these.';

create function roll_minutes(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into minutes
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
    )
    select p_host, p_slot,
           (select array_agg(samples::smallint order by at) from covered), (select array_agg(cutoff order by at) from covered),
           coalesce((select array_agg(distinct page_id) from grid), '{}'),
           coalesce((select array_agg(visitors order by page_id, at) from grid), '{}')
    where exists (select from means)
    on conflict (host, slot) do update set
        samples = excluded.samples, cutoffs = excluded.cutoffs, page_ids = excluded.page_ids, visitors = excluded.visitors
$$;
comment on function roll_minutes is 'Makes the minute means of one quarter, or makes them anew, from the snapshots. Nothing without these.';

create function roll_up(p_hosts integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    g        history_progress;
    h        text;
    done     integer := 0;
    quarter  constant interval := '15 minutes';
    grace    constant interval := '30 s';
    is_over  boolean;
begin
    select * into g from history_progress for update skip locked;
    if not found then
        return 0;
    end if;
    if g.slot is null or g.slot > clock_timestamp() + quarter then
        select date_bin(quarter, min(taken_at), 'epoch') into g.slot from snapshots;
        g.host := null;
    end if;
    while g.slot + quarter + grace <= clock_timestamp() and done < p_hosts loop
        is_over := true;
        for h in select distinct host from snapshots
                 where taken_at >= g.slot and taken_at < g.slot + quarter and host > coalesce(g.host, '')
                 order by host limit p_hosts - done
        loop
            perform roll_minutes(h, g.slot);
            perform roll_quarter(h, g.slot);
            g.host := h;
            done := done + 1;
            is_over := false;
        end loop;
        if is_over then
            select date_bin(quarter, coalesce(min(taken_at), clock_timestamp()), 'epoch') into g.slot
            from snapshots where taken_at >= g.slot + quarter;
            g.host := null;
        end if;
    end loop;
    update history_progress set slot = g.slot, host = g.host;
    return done;
end $$;
comment on function roll_up is
'Rolls up the next quarters that are over, of at most p_hosts hosts, and returns how many that were; 0: there is nothing to do, or somebody
else is at it. Half a minute of grace, since a snapshot is stored a moment after it was taken. Repeating it, or stopping it anywhere, does no harm.';

create function rebuild_quarters(p_host text, p_from timestamptz, p_to timestamptz) returns integer
language plpgsql as $$
declare
    s    timestamptz;
    done integer := 0;
begin
    for s in select slot from minutes where host = p_host and slot >= p_from and slot < p_to order by slot loop
        perform roll_quarter(p_host, s);
        done := done + 1;
    end loop;
    return done;
end $$;
comment on function rebuild_quarters is 'Makes a host''s roll-ups anew from its minute means, slots from p_from (included) to p_to. Returns how many. For the owner.';

-- Partitions -------------------------------------------------------------------------------------------------------------------

create function make_partition(p_table text, p_column text, p_from date, p_to date) returns boolean
language plpgsql as $$
declare
    part   text := p_table || to_char(p_from, '_YYYYMMDD');
    from_t text := to_char(p_from, 'YYYY-MM-DD') || ' 00:00+00';
    to_t   text := to_char(p_to, 'YYYY-MM-DD') || ' 00:00+00';
    col    text;
begin
    if to_regclass('public.' || part) is not null then
        return false;
    end if;
    execute format('create table public.%I (like public.%I including all) with (toast_tuple_target = %s)', part, p_table,
                   case p_table when 'quarters' then 2040 else 128 end);
    -- What has come in meanwhile moves over; nobody adds to the default partition until we are done.
    execute format('lock table public.%I in share row exclusive mode', p_table || '_default');
    execute format('with moved as (delete from public.%I where %I >= %L and %I < %L returning *) insert into public.%I select * from moved',
                   p_table || '_default', p_column, from_t, p_column, to_t, part);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)', p_table, part, from_t, to_t);
    execute format('comment on table public.%I is %L', part, 'Of ' || p_table || ': ' || p_from || ' to ' || p_to || ' (UTC).');
    return true;
end $$;
comment on function make_partition is 'Makes the partition of these days, UTC, and moves what the default partition holds of them; false: it is there.';

create function drop_partitions(p_table text, p_before timestamptz) returns integer
language plpgsql as $$
declare
    part text;
    done integer := 0;
begin
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = ('public.' || p_table)::regclass and c.relname ~ '_\d{8}$'
          and (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz <= p_before
        order by 1
    loop
        execute format('drop table public.%I', part);
        done := done + 1;
    end loop;
    return done;
end $$;
comment on function drop_partitions is 'Drops the partitions of a table that end by p_before, whole. Returns how many.';

create function maintain_history(p_raw_hours integer, p_minute_days integer, p_quarter_months integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '2s' set timezone = 'UTC' as $$
declare
    today constant date := clock_timestamp()::date;
    month constant date := date_trunc('month', clock_timestamp())::date;
    done  integer := 0;
begin
    if p_raw_hours < 1 or p_minute_days < 1 or p_quarter_months < 1 then
        raise exception 'periods must be at least 1';
    end if;
    if not pg_try_advisory_xact_lock(7554, 3) then
        return 0;
    end if;
    for i in 0 .. 2 loop
        done := done + make_partition('snapshots', 'taken_at', today + i, today + i + 1)::integer
                     + make_partition('minutes', 'slot', today + i, today + i + 1)::integer;
    end loop;
    for i in 0 .. 1 loop
        done := done + make_partition('quarters', 'slot', (month + i * interval '1 month')::date, (month + (i + 1) * interval '1 month')::date)::integer;
    end loop;
    done := done + drop_partitions('snapshots', clock_timestamp() - p_raw_hours * interval '1 hour');
    done := done + drop_partitions('minutes', clock_timestamp() - p_minute_days * interval '1 day');
    return done + drop_partitions('quarters', clock_timestamp() - p_quarter_months * interval '1 month');
end $$;
comment on function maintain_history is
'Makes the partitions of the next days ahead and drops those that are over, whole: raw snapshots after p_raw_hours, minute means after p_minute_days,
roll-ups after p_quarter_months. Returns how many were made or dropped. Harmless to repeat; one at a time; gives up after 2 s behind a lock.';

-- Polls ------------------------------------------------------------------------------------------------------------------------

create function poll_interval(p_poll_every interval, p_asked_at timestamptz, p_now timestamptz) returns interval
language sql immutable as $$
    select coalesce(p_poll_every, case when p_asked_at > p_now - interval '1 hour' then interval '1 minute' else interval '1 hour' end)
$$;
comment on function poll_interval is 'How often the collector asks for a host.';

create function next_poll(p_host text, p_taken_at timestamptz, p_every interval) returns timestamptz
language sql immutable as $$
    select case when p_taken_at is null then '-infinity'::timestamptz
                else date_bin(p_every, p_taken_at, phase) + p_every end
    from (select timestamptz 'epoch' + mod(hashtext(p_host)::bigint + 2147483648, (extract(epoch from p_every) * 1000)::bigint) * interval '1 ms') o (phase)
$$;
comment on function next_poll is
'When a host is due: at the next of its own ticks after its newest snapshot. Ticks of different hosts are spread over the interval, and one minute of a host
never goes without a snapshot because the round before came late.';

create function left_alone(p_has_key boolean, p_asked_at timestamptz, p_now timestamptz) returns text
language sql immutable as $$
    select case when not p_has_key then 'no key is accepted' when p_asked_at < p_now - interval '30 days' then 'nobody asked for 30 days' end
$$;
comment on function left_alone is 'Why the collector leaves a host alone; null: it does not.';

create function due_hosts(p_host text, p_ttl_ms integer)
returns table (host text, due_at timestamptz, every interval)
language sql stable as $$
    select h.host, n.due_at, e.every
    from hosts h join refills r using (host) left join cache c using (host)
    cross join lateral (select poll_interval(h.poll_every, h.asked_at, clock_timestamp())) e (every)
    cross join lateral (select next_poll(h.host, c.taken_at, e.every)) n (due_at)
    where (p_host is null or h.host = p_host)
      and n.due_at <= clock_timestamp()
      and left_alone(exists (select from key_checks k where k.host = h.host and k.accepted), h.asked_at, clock_timestamp()) is null
      and (c.taken_at is null or c.taken_at not between clock_timestamp() - p_ttl_ms * interval '1 ms' and clock_timestamp())
      and not coalesce(r.next_try_at between clock_timestamp() and clock_timestamp() + interval '601 s', false)
    order by n.due_at, h.host
$$;
comment on function due_hosts is 'The hosts that the collector is to ask for now, longest due first; p_host: that one alone. Not those in back-off, nor within the TTL.';

create or replace view host_status as
select r.host,
       c.taken_at as last_snapshot,
       clock_timestamp() - c.taken_at as age,
       r.last_error,
       r.last_error_at,
       r.failures,
       case when r.next_try_at > clock_timestamp() then r.next_try_at end as next_try,
       (select count(*) from key_checks k where k.host = r.host and k.accepted) as keys,
       (select count(*) from key_checks k where k.host = r.host and not k.accepted) as refused_keys,
       r.requests,
       r.refused_rows,
       h.asked_at,
       case when h.host is not null then poll_interval(h.poll_every, h.asked_at, clock_timestamp()) end as poll_every,
       case when h.host is not null and a.why is null then next_poll(r.host, c.taken_at, poll_interval(h.poll_every, h.asked_at, clock_timestamp())) end as next_poll,
       case when h.host is not null then a.why end as left_alone
from refills r left join hosts h using (host) left join cache c using (host)
cross join lateral (select left_alone(exists (select from key_checks k where k.host = r.host and k.accepted), h.asked_at, clock_timestamp())) a (why)
order by r.host;
comment on column host_status.poll_every is 'How often the collector asks: every minute for an hour after somebody asked us, else every hour, unless hosts.poll_every says otherwise.';
comment on column host_status.next_poll is 'When it asks next.';
comment on column host_status.left_alone is 'Why it does not; null: it does.';

-- Views ------------------------------------------------------------------------------------------------------------------------

create view page_minutes as
with points as (
    select m.host, m.slot + a.at * interval '1 minute' as minute, m.samples[a.at + 1] as samples, m.cutoffs[a.at + 1] as cutoff,
           p.page_id, m.visitors[15 * (p.rank - 1) + a.at + 1] as visitors
    from minutes m
    cross join generate_series(0, 14) a (at)
    cross join lateral unnest(m.page_ids) with ordinality p (page_id, rank)
    where m.samples[a.at + 1] > 0
    union all
    select h.host, n.minute, n.samples, n.cutoff, n.page_id, n.visitors
    from hosts h
    cross join lateral (select coalesce(max(m.slot) + interval '15 minutes', '-infinity') from minutes m where m.host = h.host) d (rolled)
    cross join lateral minute_means(h.host, d.rolled, 'infinity') n
    where n.page_id is not null
)
select t.host, t.minute, p.path, t.visitors / 100.0 as visitors, t.samples, t.cutoff / 100.0 as cutoff
from points t join pages p using (page_id)
where t.visitors >= 0;
comment on view   page_minutes is 'One-minute means, a row for each page and minute in which it was listed; the minutes of the running quarter too. Name the host.';
comment on column page_minutes.host is 'Host name.';
comment on column page_minutes.minute is 'Start of the minute.';
comment on column page_minutes.path is 'Path of the page.';
comment on column page_minutes.visitors is 'Mean of its concurrents, to hundredths.';
comment on column page_minutes.samples is 'Snapshots of that minute.';
comment on column page_minutes.cutoff is 'What a page that was not listed had at most.';

create view page_quarters as
select q.host, q.slot, p.path, q.minutes, n.listed, n.sum / 100.0 as sum, n.cutoff_sum / 100.0 as cutoff_sum, n.min / 100.0 as min, n.max / 100.0 as max,
       n.first / 100.0 as first, q.slot + n.first_at * interval '1 minute' as first_at,
       n.last / 100.0 as last, q.slot + n.last_at * interval '1 minute' as last_at, n.rise / 100.0 as rise, n.fall / 100.0 as fall,
       round(n.sum / 100.0 / n.listed, 2) as avg_listed, round(n.sum / 100.0 / q.minutes, 2) as avg_low,
       round((n.sum + n.cutoff_sum) / 100.0 / q.minutes, 2) as avg_high, (n.last - n.first) / 100.0 as change
from quarters q
cross join lateral unnest(q.page_ids, q.listed, q.sum, q.cutoff_sum, q.min, q.max, q.first, q.first_at, q.last, q.last_at, q.rise, q.fall)
    n (page_id, listed, sum, cutoff_sum, min, max, first, first_at, last, last_at, rise, fall)
join pages p on p.page_id = n.page_id;
comment on view   page_quarters is 'Roll-ups of 15 minutes, a row for each page and quarter in which it was listed. Name the host.';
comment on column page_quarters.host is 'Host name.';
comment on column page_quarters.slot is 'Start of the quarter of an hour.';
comment on column page_quarters.path is 'Path of the page.';
comment on column page_quarters.minutes is 'Minutes of the quarter of which anything is known.';
comment on column page_quarters.listed is 'Minutes in which the page was listed.';
comment on column page_quarters.sum is 'Sum of its means over these.';
comment on column page_quarters.cutoff_sum is 'Sum of the cut-offs over the known minutes in which it was not listed.';
comment on column page_quarters.min is 'Smallest of its means.';
comment on column page_quarters.max is 'Largest of its means.';
comment on column page_quarters.first is 'Its mean in the first minute in which it was listed.';
comment on column page_quarters.first_at is 'That minute.';
comment on column page_quarters.last is 'Its mean in the last minute in which it was listed.';
comment on column page_quarters.last_at is 'That minute.';
comment on column page_quarters.rise is 'Sum of the steps up from one minute to the very next.';
comment on column page_quarters.fall is 'Sum of the steps down, above 0.';
comment on column page_quarters.avg_listed is 'sum / listed: its mean while it was listed.';
comment on column page_quarters.avg_low is 'sum / minutes: as if it had nobody while it was not listed.';
comment on column page_quarters.avg_high is '(sum + cutoff_sum) / minutes: as if it had the cut-off while it was not listed.';
comment on column page_quarters.change is 'last - first.';

create view headlines as
select p.host, p.path, t.since, lead(t.since) over (partition by t.page_id order by t.since) as until, t.title
from titles t join pages p using (page_id);
comment on view   headlines is 'The headline log: each title of each page, and the time for which it held.';
comment on column headlines.host is 'Host name.';
comment on column headlines.path is 'Path of the page.';
comment on column headlines.since is 'First snapshot with this title.';
comment on column headlines.until is 'First snapshot with the next one; null: it still holds.';
comment on column headlines.title is 'The title.';

create view storage_use as
select case i.inhparent::regclass::text when 'snapshots' then 'raw' else i.inhparent::regclass::text end as level,
       b.bounds[1]::timestamptz::date as day, coalesce(b.bounds[2]::timestamptz::date - b.bounds[1]::timestamptz::date, 0) as days,
       greatest(coalesce(s.n_live_tup, 0), c.reltuples::bigint, 0) as rows, pg_total_relation_size(c.oid) as bytes
from pg_inherits i join pg_class c on c.oid = i.inhrelid left join pg_stat_user_tables s on s.relid = c.oid
cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)')) b (bounds)
where i.inhparent in ('snapshots'::regclass, 'minutes'::regclass, 'quarters'::regclass)
order by 1, 2;
comment on view   storage_use is 'What the history takes on disk, indexes included: a row for each level (raw, minutes, quarters) and partition.';
comment on column storage_use.level is 'raw: snapshots; minutes: one-minute means; quarters: roll-ups of 15 minutes.';
comment on column storage_use.day is 'First day (UTC) of the partition; null: the default partition.';
comment on column storage_use.days is 'Days in it: 1, or a month of roll-ups; 0: the default partition.';
comment on column storage_use.rows is 'Rows, as PostgreSQL''s statistics have it.';
comment on column storage_use.bytes is 'Bytes on disk.';

grant select on minutes, quarters, history_progress, page_minutes, page_quarters, headlines, storage_use to upbeat_app;
revoke execute on function roll_minutes, roll_quarter, roll_up, rebuild_quarters, make_partition, drop_partitions, maintain_history from public;
grant execute on function roll_up, maintain_history to upbeat_app;
do $$ begin perform maintain_history(24, 14, 13); end $$;
