create or replace function queue_alerts(p_host text, p_new bigint[], p_changed bigint[]) returns void
language plpgsql as $$
begin
    insert into outbox_events (channel_id, rule_ids, event_id, is_end, host, kind, path, title, began_at, peak_at, ended_at,
                               visitors, expected, score, peak, peak_expected, causes, sources, minutes)
    select m.channel_id, m.rule_ids, e.event_id, false, e.host, e.kind, e.path, e.title, e.began_at, e.peak_at, e.ended_at,
           e.visitors, e.expected, e.score, e.peak, e.peak_expected, e.causes, e.sources, event_minutes(p_host, e.page_id, greatest(e.began_at, e.peak_at))
    from events e left join pages p on p.page_id = e.page_id
    cross join lateral (
        select r.channel_id, array_agg(r.rule_id order by r.rule_id) as rule_ids
        from channel_rules r join channels c on c.channel_id = r.channel_id and c.is_on
        where (r.host is null or r.host = p_host) and e.kind = any (r.kinds)
          -- Of an outage there are no numbers. What falls is measured by what it falls from.
          and (e.kind = 'outage' or (
              greatest(e.visitors, e.expected) >= r.min_visitors
              and greatest(e.visitors, e.expected) >= r.min_ratio * least(e.visitors, e.expected)))
          and (r.sections is null or exists (select from unnest(p.sections) s join unnest(r.sections) w on lower(s) = lower(w)))
          and (r.paths is null or exists (select from unnest(r.paths) w where starts_with(e.path, w)))
          and (r.sources is null or e.causes && r.sources)
        group by r.channel_id) m
    where e.event_id = any (p_new)
      -- Found late, after an outage of our own.
      and not (e.ended_at is not null and e.ended_at < clock_timestamp() - interval '24 hours')
      and not exists (select from silences s where s.host = p_host and s.silent_until > clock_timestamp() and (s.path is null or s.path = e.path))
    order by e.began_at, e.event_id
    on conflict do nothing;

    -- An event that is over before it was told is told as a whole.
    update outbox_events o set peak_at = e.peak_at, ended_at = e.ended_at, peak = e.peak, peak_expected = e.peak_expected, causes = e.causes, sources = e.sources
    from events e
    where e.event_id = any (p_changed) and e.ended_at is not null and o.event_id = e.event_id and o.delivery_id is null and not o.is_end;
    insert into outbox_events (channel_id, rule_ids, event_id, is_end, host, kind, path, title, began_at, peak_at, ended_at,
                               visitors, expected, score, peak, peak_expected, causes, sources, minutes)
    select o.channel_id, o.rule_ids, e.event_id, true, e.host, e.kind, e.path, o.title, e.began_at, e.peak_at, e.ended_at,
           e.visitors, e.expected, e.score, e.peak, e.peak_expected, e.causes, e.sources, event_minutes(p_host, e.page_id, e.ended_at)
    from outbox_events o join events e using (event_id) join channels c on c.channel_id = o.channel_id and c.is_on
    where e.event_id = any (p_changed) and e.ended_at is not null and not o.is_end and o.delivery_id is not null and e.kind not in ('record', 'headline')
    order by e.ended_at, e.event_id
    on conflict do nothing;
end $$;
comment on function queue_alerts is
'Puts events that began (p_new) into the outbox of each channel that has a rule for them, and ends (of p_changed) into those that were told of the begin. Part of the
transaction that stores the events.';
