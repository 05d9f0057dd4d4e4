create or replace function maintain_history(p_raw_hours integer, p_minute_days integer, p_quarter_months integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '50ms' as $$
declare
    made integer := 0;
begin
    if p_raw_hours < 1 or p_minute_days < 1 or p_quarter_months < 1 then
        raise exception 'periods must be at least 1';
    end if;
    if not pg_try_advisory_xact_lock(7554, 3) then
        return 0;
    end if;
    begin
        made := make_partitions();
    exception when lock_not_available then
        null;
    end;
    if made > 0 then
        return made;
    end if;
    -- One in a transaction, which then ends at once: what a drop locks it keeps until then.
    return coalesce(nullif(drop_partition('snapshots', clock_timestamp() - p_raw_hours * interval '1 hour'), 0),
                    nullif(drop_partition('minutes', clock_timestamp() - p_minute_days * interval '1 day'), 0),
                    drop_partition('quarters', clock_timestamp() - p_quarter_months * interval '1 month'));
end $$;
comment on function maintain_history is
'Makes the partitions of the next days; where these are there, drops one that is over: raw snapshots after p_raw_hours, minute means after
p_minute_days, roll-ups after p_quarter_months. Returns how many were made or dropped: to be called again until that is 0. Harmless to
repeat; one at a time. Nobody waits for it longer than 50 ms: where others use a table, it leaves that for the next time.';
