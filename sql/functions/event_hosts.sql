create or replace function event_hosts() returns table (host text, looked_at bigint, taken_at bigint, is_failing boolean)
language sql stable as $$
    select c.host, (extract(epoch from e.looked_at) * 1000000)::bigint, (extract(epoch from c.taken_at) * 1000000)::bigint, coalesce(r.failures > 0, false)
    from cache c left join event_progress e using (host) left join refreshes r using (host)
    where e.looked_at is null or c.taken_at <> e.looked_at or r.failures > 0
    order by c.taken_at
$$;
comment on function event_hosts is 'The hosts with a snapshot that upbeat-alert has not seen, be it older than what it has seen since the clock was set back, or for which
Chartbeat fails. Times in microseconds since 1970.';
