create or replace function unpack_counts(p_planes bytea[]) returns integer[]
language plpgsql immutable strict parallel safe as $$
declare
    counts integer[] := '{}';
    plane  bytea := p_planes[1];
begin
    -- Loops take a third of the time of a query over generate_series.
    for i in 0 .. length(plane) - 1 loop
        counts[i + 1] := get_byte(plane, i);
    end loop;
    for n in 2 .. cardinality(p_planes) loop
        plane := p_planes[n];
        for i in 0 .. length(plane) - 1 loop
            counts[i + 1] := counts[i + 1] + (get_byte(plane, i) << 8 * (n - 1));
        end loop;
    end loop;
    return counts;
end $$;
comment on function unpack_counts is 'The counts that pack_counts packed.';
