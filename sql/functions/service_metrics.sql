create or replace function service_metrics() returns table (metric text, label text, state text, thousandths bigint)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    v_now     constant timestamptz := clock_timestamp();
    v_quarter constant interval := '15 minutes';
    v_grace   constant interval := '30 s';
    v_slot    timestamptz;
begin
    return query
        with doing as materialized (
            select c.taken_at,
                   case when left_alone(exists (select from key_checks k where k.host = h.host and k.state <> 'refused'),
                                        h.alert_every, h.asked_at, v_now) is not null then 'left_alone'
                        when c.taken_at is null then 'new'
                        when r.failures > 0 then 'failing'
                        when r.next_due_at < v_now - v_grace then 'late'
                        else 'fresh' end as doing
            from hosts h left join refreshes r on r.host = h.host left join cache c on c.host = h.host
        )
        select 'hosts', s, null, 1000 * count(d.doing)
        from unnest('{fresh,late,failing,new,left_alone}'::text[]) s left join doing d on d.doing = s group by s
        union all
        select 'host_age', null, null, (1000 * extract(epoch from greatest(v_now - min(d.taken_at), interval '0')))::bigint
        from doing d where d.doing = 'fresh' having count(*) > 0;
    return query
        with counted as (
            select e.kind, 'open' as state from events e where e.ended_at is null
            union all
            select e.kind, 'ended' from hosts h
            join events e on e.host = h.host and e.began_at > v_now - interval '24 hours' and e.ended_at is not null
        )
        select 'events', k::text, s, 1000 * count(c.kind)
        from unnest(enum_range(null::event_kind)) k cross join unnest('{open,ended}'::text[]) s
        left join counted c on c.kind = k and c.state = s group by k, s;
    return query
        with counted as (
            select o.state from outbox o where o.state = 'waiting'
            union all
            select o.state from channels c
            join outbox o on o.channel_id = c.channel_id and o.created_at > v_now - interval '24 hours' and o.state <> 'waiting'
        )
        select 'deliveries', s::text, null, 1000 * count(c.state)
        from unnest(enum_range(null::delivery_state)) s left join counted c on c.state = s group by s;
    select p.slot into v_slot from history_progress p;
    if v_slot is null or v_slot > v_now then
        -- By the key of each host: the minimum of the whole table would read all of it.
        select date_bin(v_quarter, min(s.taken_at), 'epoch') into v_slot
        from hosts h cross join lateral (select n.taken_at from snapshots n where n.host = h.host order by n.taken_at limit 1) s;
    end if;
    return query select 'rollup_lag', null::text, null::text,
        coalesce((1000 * extract(epoch from greatest(v_now - v_slot - v_quarter - v_grace, interval '0')))::bigint, 0);
end $$;
comment on function service_metrics is
'What /metrics says of the database: hosts by state, the age of the oldest of the fresh ones, events by kind and state, deliveries by state,
for how long the next quarter of an hour could have been rolled up. Values in thousandths.';
