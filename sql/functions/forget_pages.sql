create or replace function forget_pages(p_raw_hours integer, p_minute_days integer, p_quarter_months integer, p_pages integer)
returns integer
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
    -- A publish for this host has ended before us, and is seen below; or comes after us; or is under way, and then we leave the host alone.
    select array_agg(r.host) into mine
    from (select host from refreshes where host in (select p.host from pages p where p.page_id = any (ids)) for update skip locked) r;
    delete from pages p
    where p.page_id = any (ids) and p.host = any (mine) and p.page_id <> all (coalesce(listed, '{}'))
      and not exists (select from snapshots s where s.host = p.host and s.taken_at >= began - interval '1 minute'
          and p.page_id = any (s.page_ids));
    get diagnostics done = row_count;
    return done;
end $$;
comment on function forget_pages is
'Forgets at most p_pages pages that stand in nothing any more that is kept for these periods, and how they were called. Returns how many;
0: there are none that can be forgotten now. A page that was never rolled up counts as seen when there was nothing to forget. Harmless to
repeat; one at a time.';
