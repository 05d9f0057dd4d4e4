create or replace function event_hosts() returns table (host text, looked_at timestamptz, taken_at timestamptz, is_failing boolean)
language sql stable as $$
    select c.host, e.looked_at, c.taken_at, coalesce(r.failures > 0, false)
    from cache c left join event_progress e using (host) left join refreshes r using (host)
    where e.looked_at is null or c.taken_at > e.looked_at or r.failures > 0
    order by c.taken_at
$$;
comment on function event_hosts is 'The hosts with a snapshot that upbeat-alert has not seen, or for which Chartbeat fails.';
