create or replace function believe_since(p_host text, p_since timestamptz, p_until timestamptz) returns void
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    s timestamptz := date_bin('15 minutes', p_since, 'epoch');
begin
    update snapshots set suspect_since = null where host = p_host and taken_at >= p_since and suspect_since is not null;
    while s <= p_until loop
        -- A quarter that is not rolled up yet will be: its snapshots are good by then.
        if exists (select from minutes where host = p_host and slot >= s) then
            perform roll_minutes(p_host, s);
            perform roll_quarter(p_host, s);
        end if;
        s := s + interval '15 minutes';
    end loop;
end $$;
comment on function believe_since is 'The lists of a host since then were real after all: nothing marks them any more, and what was rolled up without them is made anew.';
