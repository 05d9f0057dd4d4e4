create or replace function set_next_due(p_host text) returns void
language sql as $$
    update refreshes r set next_due_at = n.at
    from hosts h join refreshes o using (host) left join cache c using (host)
    cross join lateral (
        select bool_or(k.state = 'accepted') as has_accepted, min(k.doubted_at) + bound('doubt') as undoubted_at, count(*) > 0 as has_key
        from key_checks k where k.host = h.host and k.state <> 'refused') k
    cross join lateral (
        select case when left_alone(k.has_key, h.alert_every, h.asked_at, clock_timestamp()) is null then greatest(
                   next_poll(h.host, c.taken_at, poll_interval(h.poll_every, h.alert_every, h.asked_at, clock_timestamp())),
                   case when o.next_try_at > clock_timestamp() then o.next_try_at end,
                   case when not k.has_accepted then k.undoubted_at end) end) n (at)
    where h.host = p_host and r.host = p_host and r.next_due_at is distinct from n.at
$$;
comment on function set_next_due is
'Computes anew when a host is due, where something else than a refresh has changed it: its keys, hosts.poll_every, hosts.asked_at.';
