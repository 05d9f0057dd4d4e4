create or replace function make_partition(p_table text, p_column text, p_from date, p_to date) returns boolean
language plpgsql as $$
declare
    part   text := p_table || to_char(p_from, '_YYYYMMDD');
    from_t text := to_char(p_from, 'YYYY-MM-DD') || ' 00:00+00';
    to_t   text := to_char(p_to, 'YYYY-MM-DD') || ' 00:00+00';
    col    text;
begin
    if to_regclass('public.' || part) is not null then
        return false;
    end if;
    execute format('create table public.%I (like public.%I including all) with (toast_tuple_target = %s)', part, p_table,
                   case p_table when 'quarters' then 2040 else 128 end);
    -- What has come in meanwhile moves over; nobody adds to the default partition until we are done.
    execute format('lock table public.%I in share row exclusive mode', p_table || '_default');
    execute format('with moved as (delete from public.%I where %I >= %L and %I < %L returning *) insert into public.%I select * from moved',
                   p_table || '_default', p_column, from_t, p_column, to_t, part);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)', p_table, part, from_t, to_t);
    execute format('comment on table public.%I is %L', part, 'Of ' || p_table || ': ' || p_from || ' to ' || p_to || ' (UTC).');
    return true;
end $$;
comment on function make_partition is
'Makes the partition of these days, UTC, and moves what the default partition holds of them; false: it is there.';
