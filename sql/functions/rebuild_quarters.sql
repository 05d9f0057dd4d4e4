create or replace function rebuild_quarters(p_host text, p_from timestamptz, p_to timestamptz) returns integer
language plpgsql as $$
declare
    s    timestamptz;
    done integer := 0;
begin
    for s in select slot from minutes where host = p_host and slot >= p_from and slot < p_to order by slot loop
        perform roll_quarter(p_host, s);
        done := done + 1;
    end loop;
    return done;
end $$;
comment on function rebuild_quarters is
'Makes a host''s roll-ups anew from its minute means, slots from p_from (included) to p_to. Returns how many. For the owner.';
