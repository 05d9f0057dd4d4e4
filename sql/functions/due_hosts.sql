create or replace function due_hosts(p_limit integer, p_ahead interval default '0', p_host text default null)
returns table (host text, due_at timestamptz, every interval)
-- By keys, however many hosts there are.
language sql stable security definer set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with due as materialized (
        (select r.host, r.next_due_at as due_at from refreshes r
         where p_host is null and r.next_due_at <= clock_timestamp() + p_ahead order by r.next_due_at limit p_limit)
        union all
        -- No host is due later than in one of its intervals: the clock has jumped back since that was written.
        (select r.host, r.next_due_at from refreshes r join hosts h on h.host = r.host
         where p_host is null and r.next_due_at > clock_timestamp() + interval '2 hours'
           and r.next_due_at > clock_timestamp() + 2 * poll_interval(h.poll_every, h.alert_every, h.asked_at, clock_timestamp())
         order by r.next_due_at limit p_limit)
        union all
        select r.host, r.next_due_at from refreshes r where r.host = p_host and r.next_due_at <= clock_timestamp() + p_ahead
    )
    select d.host, d.due_at, poll_interval(h.poll_every, h.alert_every, h.asked_at, n.at)
    from due d join hosts h on h.host = d.host cross join (select clock_timestamp() offset 0) n (at)
    order by d.due_at, d.host limit p_limit
$$;
comment on function due_hosts is
'The hosts that are to be refreshed by the clock until p_ahead from now, longest due first, at most p_limit; p_host: that one alone. Reads
by the index of due times, so that it may be called many times a second.';
