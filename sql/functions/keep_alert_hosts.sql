create or replace function keep_alert_hosts(p_every_ms integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    names   text[];
    wanted  constant interval := p_every_ms * interval '1 ms';
    changed integer;
begin
    select array_agg(h.host) into names from hosts h
    where h.alert_every is distinct from
          case when exists (select from channel_rules r join channels c using (channel_id) where c.is_on and (r.host is null or r.host = h.host)) then wanted end;
    if names is null then
        return 0;
    end if;
    -- Lease rows before those of hosts, as in asked(); one that is in use has its turn at the next call.
    select array_agg(host) into names from (select host from refreshes where host = any (names) order by host limit 1000 for update skip locked) r;
    update hosts h set alert_every =
        case when exists (select from channel_rules r join channels c using (channel_id) where c.is_on and (r.host is null or r.host = h.host)) then wanted end
    where h.host = any (names);
    get diagnostics changed = row_count;
    return changed;
end $$;
comment on function keep_alert_hosts is
'Says that hosts with a rule are sampled at least every p_every_ms, and others are not; returns how many it changed.';
