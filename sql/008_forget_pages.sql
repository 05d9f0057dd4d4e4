-- Pages that stand in nothing any more are forgotten, with their headlines.

-- Not a column of pages: a roll-up of many hosts would hold locks that a publishing that renames pages has to wait for.
create table page_months (
    page_id integer primary key references pages on delete cascade,
    month   date    not null
);
create index page_months_month on page_months (month);
comment on table  page_months is 'When a page was last seen, to the month: what forget_pages looks at.';
comment on column page_months.page_id is 'The page, by number.';
comment on column page_months.month is 'First day of the month (UTC) of its newest roll-up.';
comment on index  page_months_month is 'Those that are to be forgotten.';
insert into page_months select page_id, date_trunc('month', now() at time zone 'UTC')::date from pages;

create function note_months(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into page_months
    select p.page_id, m.month
    from quarters q
    cross join lateral (select date_trunc('month', p_slot at time zone 'UTC')::date) m (month)
    cross join lateral unnest(q.page_ids) n (page_id)
    join pages p on p.page_id = n.page_id
    where q.host = p_host and q.slot = p_slot
      and not exists (select from page_months o where o.page_id = p.page_id and o.month >= m.month)
    on conflict (page_id) do update set month = excluded.month
$$;
comment on function note_months is 'Notes for the pages of a roll-up that they were seen in its month.';

create or replace function roll_up(p_hosts integer) returns integer
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
            perform note_months(h, g.slot);
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

create function forget_pages(p_raw_hours integer, p_minute_days integer, p_quarter_months integer, p_pages integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '2s' as $$
declare
    began  constant timestamptz := clock_timestamp();
    -- Of the periods the longest, and a month more, since months are what is noted.
    before constant date := (least(began - p_raw_hours * interval '1 hour', began - p_minute_days * interval '1 day',
                                   began - p_quarter_months * interval '1 month') at time zone 'UTC')::date - 31;
    rolled timestamptz;
    ids    integer[];
    listed integer[];
    mine   text[];
    done   integer;
begin
    if p_raw_hours < 1 or p_minute_days < 1 or p_quarter_months < 1 then
        raise exception 'periods must be at least 1';
    end if;
    select coalesce(slot, '-infinity') into rolled from history_progress for update skip locked;
    if not found or (rolled > '-infinity' and rolled < began - interval '1 hour') then
        return 0; -- somebody rolls up or forgets, or much is to be rolled up yet: later is soon enough
    end if;
    select array_agg(c.page_id) into ids from (select page_id from page_months where month < before limit p_pages) c;
    if ids is null then
        insert into page_months
        select p.page_id, date_trunc('month', began at time zone 'UTC')::date
        from pages p left join page_months m using (page_id) where m.page_id is null
        on conflict do nothing;
        return 0;
    end if;
    -- Not those that stand in a list that is not rolled up yet.
    select array_agg(distinct n.page_id) into listed
    from snapshots s cross join lateral unnest(s.page_ids) n (page_id)
    where s.taken_at >= rolled and s.host in (select p.host from pages p where p.page_id = any (ids));
    -- Who publishes for a host does so before us, and is seen below, or after us; or is at it, and then we leave the host alone.
    select array_agg(r.host) into mine
    from (select host from refills where host in (select p.host from pages p where p.page_id = any (ids)) for update skip locked) r;
    delete from pages p
    where p.page_id = any (ids) and p.host = any (mine) and p.page_id <> all (coalesce(listed, '{}'))
      and not exists (select from snapshots s where s.host = p.host and s.taken_at >= began - interval '1 minute' and p.page_id = any (s.page_ids));
    get diagnostics done = row_count;
    return done;
end $$;
comment on function forget_pages is
'Forgets at most p_pages pages that stand in nothing any more that is kept for these periods, and how they were called. Returns how many; 0: there are none
that can be forgotten now. A page that was never rolled up counts as seen when there was nothing to forget. Harmless to repeat; one at a time.';

grant select on page_months to upbeat_app;
revoke execute on function note_months, forget_pages from public;
grant execute on function forget_pages to upbeat_app;
