-- Pages that stand in nothing any more are forgotten, and their headlines: they were the only rows that were never dropped.

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
    -- Of the periods the longest, and a month more, since months are what is noted.
    before constant date := (least(clock_timestamp() - p_raw_hours * interval '1 hour', clock_timestamp() - p_minute_days * interval '1 day',
                                   clock_timestamp() - p_quarter_months * interval '1 month') at time zone 'UTC')::date - 31;
    rolled constant timestamptz := (select slot from history_progress);
    ids    integer[];
    done   integer;
begin
    if p_raw_hours < 1 or p_minute_days < 1 or p_quarter_months < 1 then
        raise exception 'periods must be at least 1';
    end if;
    if rolled < clock_timestamp() - interval '1 hour' then
        return 0; -- so that little is to be looked at below; later is soon enough
    end if;
    insert into page_months
    select p.page_id, date_trunc('month', clock_timestamp() at time zone 'UTC')::date
    from pages p left join page_months m using (page_id) where m.page_id is null limit p_pages
    on conflict do nothing;
    select array_agg(c.page_id) into ids
    from (select m.page_id from page_months m join pages p using (page_id)
          where m.month < before
            and not exists (select from snapshots s where s.host = p.host and s.taken_at >= rolled and p.page_id = any (s.page_ids))
          limit p_pages) c;
    -- Whoever publishes a list of such a host does so before us, and is seen below, or after us.
    perform from refills r where r.host in (select p.host from pages p where p.page_id = any (ids)) order by r.host for update;
    delete from pages p
    where p.page_id = any (ids)
      and not exists (select from snapshots s where s.host = p.host and s.taken_at >= rolled and p.page_id = any (s.page_ids));
    get diagnostics done = row_count;
    return done;
end $$;
comment on function forget_pages is
'Forgets at most p_pages pages that stand in nothing any more that is kept for these periods, and how they were called. Returns how many; 0: there are none,
or the roll-up lags. A page that was never rolled up counts as seen now. Harmless to repeat; gives up after 2 s behind a lock.';

grant select on page_months to upbeat_app;
revoke execute on function note_months, forget_pages from public;
grant execute on function forget_pages to upbeat_app;
