create or replace function drop_partition(p_table text, p_before timestamptz) returns integer
language plpgsql set lock_timeout = '50ms' as $$
declare
    part text;
begin
    select c.relname into part from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ('public.' || p_table)::regclass and c.relname ~ '_\d{8}$'
      and (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz <= p_before
    order by 1 limit 1;
    if not found then
        return 0;
    end if;
    execute format('drop table public.%I', part);
    return 1;
exception when lock_not_available then
    return 0;
end $$;
comment on function drop_partition is
'Drops the oldest partition of a table that ends by p_before, and returns 1; 0: there is none, or somebody reads the table. To drop it
takes the whole table for itself for a moment, and publishes queue behind who waits for that: so it waits 50 ms at most, and tries another
time.';
