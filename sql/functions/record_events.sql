create or replace function record_events(p_host text, p_from timestamptz, p_until timestamptz, p_events jsonb) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    new_ids     bigint[];
    changed_ids bigint[];
begin
    -- Of two who looked at the same snapshots one is first, and the other begins anew with what that one stored.
    if p_from is null then
        insert into event_progress (host, looked_at, tells_from)
        values (p_host, p_until, coalesce((select c.taken_at from cache c where c.host = p_host), p_until)) on conflict do nothing;
    else
        update event_progress set looked_at = p_until where host = p_host and looked_at = p_from;
    end if;
    if not found then
        return false;
    end if;
    with stored as (
    insert into events (host, page_id, kind, began_at, peak_at, ended_at, path, title, visitors, expected, score, peak, peak_expected, causes, sources)
    -- After a clock was set back an event may end before it began.
    select p_host, e.page_id, e.kind::event_kind, e.began_at, e.peak_at, case when e.ended_at < e.began_at then e.began_at else e.ended_at end, p.path,
           coalesce((select t.title from titles t where t.page_id = e.page_id and t.since <= e.began_at + interval '1 ms' order by t.since desc limit 1), p.title),
           e.visitors, e.expected, e.score, e.peak, e.peak_expected, coalesce(e.causes, '{}'), e.sources
    from jsonb_to_recordset(p_events) e (page_id integer, kind text, began_at timestamptz, peak_at timestamptz, ended_at timestamptz,
         visitors real, expected real, score real, peak real, peak_expected real, causes text[], sources real[])
    left join pages p on p.page_id = e.page_id and p.host = p_host
    where e.page_id = 0 or p.page_id is not null
    on conflict (host, page_id, kind, began_at) do update set
        peak_at = excluded.peak_at, ended_at = coalesce(excluded.ended_at, events.ended_at), peak = excluded.peak,
        peak_expected = excluded.peak_expected, causes = excluded.causes, sources = excluded.sources
    where events.ended_at is null
    returning event_id, xmax = 0 as is_new)
    select array_agg(event_id) filter (where is_new), array_agg(event_id) filter (where not is_new) into new_ids, changed_ids from stored;
    if (new_ids is not null or changed_ids is not null) and exists (select from channel_rules) then
        select array_agg(e.event_id) into new_ids from events e join event_progress g using (host)
        where e.event_id = any (new_ids) and (g.tells_from is null or e.began_at > g.tells_from);
        perform queue_alerts(p_host, new_ids, changed_ids);
    end if;
    return true;
end $$;
comment on function record_events is
'Stores what upbeat-alert found in the snapshots of a host after p_from (null: it never looked) up to p_until, in one transaction with how far it has
looked. False, and nothing is stored: somebody else has looked further since. An event is known by host, page, kind and begin; one
that is over never changes. What somebody is to be told of is in the outbox with it, but for what is
older than the newest snapshot of the first look: a new host does not fire on its own start.';
