create or replace function roll_up(p_hosts integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    g        history_progress;
    h        text;
    done     integer := 0;
    quarter  constant interval := '15 minutes';
    grace    constant interval := '30 s';
    is_over  boolean;
begin
    select * into g from history_progress for update skip locked;
    if not found then
        return 0;
    end if;
    if g.slot is null or g.slot > clock_timestamp() + quarter then
        select date_bin(quarter, min(taken_at), 'epoch') into g.slot from snapshots;
        g.host := null;
    end if;
    while g.slot + quarter + grace <= clock_timestamp() and done < p_hosts loop
        is_over := true;
        for h in select distinct host from snapshots
                 where taken_at >= g.slot and taken_at < g.slot + quarter and host > coalesce(g.host, '')
                 order by host limit p_hosts - done
        loop
            perform roll_minutes(h, g.slot);
            perform roll_quarter(h, g.slot);
            perform note_months(h, g.slot);
            g.host := h;
            done := done + 1;
            is_over := false;
        end loop;
        if is_over then
            select date_bin(quarter, coalesce(min(taken_at), clock_timestamp()), 'epoch') into g.slot
            from snapshots where taken_at >= g.slot + quarter;
            g.host := null;
        end if;
    end loop;
    update history_progress set slot = g.slot, host = g.host;
    return done;
end $$;
comment on function roll_up is
'Rolls up the next quarters that are over, of at most p_hosts hosts, and returns how many that were; 0: there is nothing to do, or
somebody else is at it. Half a minute of grace, since a snapshot is stored a moment after it was taken. Repeating it, or stopping it
anywhere, does no harm.';
