create or replace function key_hosts(p_digest bytea)
returns table (host text, as_of timestamptz, age interval, poll_every interval, next_poll timestamptz, failures integer, last_error text,
               left_alone text)
language sql stable as $$
    with named as (
        select k.host from key_checks k where k.digest = p_digest and k.state <> 'refused'
        union
        select unnest(t.hosts) from access_tokens t where t.digest = p_digest
    )
    select n.host, c.taken_at, clock_timestamp() - c.taken_at, poll_interval(h.poll_every, h.alert_every, h.asked_at, clock_timestamp()), r.next_due_at,
           r.failures, case when r.failures > 0 then r.last_error end,
           left_alone(exists (select from key_checks k where k.host = n.host and k.state <> 'refused'), h.alert_every, h.asked_at, clock_timestamp())
    from named n left join hosts h using (host) left join refreshes r using (host) left join cache c using (host)
    order by n.host
$$;
comment on function key_hosts is
'The hosts that a key was accepted for, or that a view token may ask for, and how fresh each is. By the SHA-256 of the key or token.';
