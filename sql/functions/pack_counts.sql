create or replace function pack_counts(p_counts integer[]) returns bytea[]
language plpgsql immutable strict parallel safe as $$
declare
    planes bytea[];
    plane  bytea;
    rest   integer; -- of the largest, above the planes that are packed
begin
    select coalesce(string_agg(substr(int4send(n), 4, 1), '' order by rank), ''), max(n) into plane, rest
    from unnest(p_counts) with ordinality c (n, rank);
    planes := array[plane];
    while rest >= 256 loop
        rest := rest >> 8;
        select rtrim(string_agg(substr(int4send(n), 4 - cardinality(planes), 1), '' order by rank), '\x00') into plane
        from unnest(p_counts) with ordinality c (n, rank);
        planes := planes || plane;
    end loop;
    return planes;
end $$;
comment on function pack_counts is
'Counts, none below 0, as byte planes: first the lowest byte of each, then the higher ones, each plane without the zero bytes at its end,
and no empty plane at the end.';
