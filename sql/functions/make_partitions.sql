create or replace function make_partitions() returns integer
language plpgsql set timezone = 'UTC' as $$
declare
    today constant date := clock_timestamp()::date;
    month constant date := date_trunc('month', clock_timestamp())::date;
    made  integer := 0;
begin
    for i in 0 .. 2 loop
        made := made + make_partition('snapshots', 'taken_at', today + i, today + i + 1)::integer
                     + make_partition('minutes', 'slot', today + i, today + i + 1)::integer;
    end loop;
    for i in 0 .. 1 loop
        made := made + make_partition('quarters', 'slot', (month + i * interval '1 month')::date,
                                      (month + (i + 1) * interval '1 month')::date)::integer;
    end loop;
    return made;
end $$;
comment on function make_partitions is
'Makes the partitions of today, of the next two days and of the next month where they are not there; returns how many.';
