create or replace function asked(p_host text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (select from hosts where host = p_host
                   and asked_at not between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute') then
        return false;
    end if;
    -- The lease row is locked before that of hosts here and in claim_refresh, so that the two cannot wait for each other.
    perform from refreshes where host = p_host for update;
    update hosts set asked_at = clock_timestamp() where host = p_host;
    return true;
end $$;
comment on function asked is
'Writes down that somebody asked for the host, at most once a minute, and when it is due now. False: it is written down already, or the host
is not one of hosts.';
