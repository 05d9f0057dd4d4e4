create or replace function import_quarter(p_host text, p_slot timestamptz, p_paths text[], p_titles text[], p_sections text[], p_minutes integer[], p_visitors integer[],
                               p_keep_minutes boolean, p_replace boolean, p_row_limit integer, p_taken_at bigint[], p_counts integer[], p_places integer[],
                               p_listed integer[], p_sources integer[]) returns boolean
language plpgsql set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
declare
    month constant date := date_trunc('month', p_slot)::date;
    was   quarters;
    made  quarters;
    ids   integer[];
    rows  integer := 0;
begin
    ids := coalesce(import_pages(p_host, p_slot, p_paths, p_titles, p_sections), '{}');
    if cardinality(p_taken_at) > 0 then
        perform make_partition('snapshots', 'taken_at', p_slot::date, p_slot::date + 1);
    end if;
    for i in 1 .. cardinality(p_taken_at) loop
        insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources)
        values (p_host, timestamptz 'epoch' + p_taken_at[i] * interval '1 ms', p_row_limit,
                (select coalesce(array_agg(ids[n + 1] order by o), '{}') from unnest(p_places[rows + 1 : rows + p_counts[i]]) with ordinality x (n, o)),
                pack_counts(p_listed[rows + 1 : rows + p_counts[i]]), pack_counts(p_sources[5 * rows + 1 : 5 * (rows + p_counts[i])]))
        on conflict do nothing;
        rows := rows + p_counts[i];
    end loop;
    if p_minutes is null then
        return true;
    end if;
    perform make_partition('quarters', 'slot', month, (month + interval '1 month')::date);
    if p_keep_minutes then
        perform make_partition('minutes', 'slot', p_slot::date, p_slot::date + 1);
    end if;
    select * into was from quarters where host = p_host and slot = p_slot;
    insert into minutes (host, slot, samples, cutoffs, totals, page_ids, visitors)
    values (p_host, p_slot, p_minutes[1:15]::smallint[], p_minutes[16:30], p_minutes[31:45], ids, p_visitors)
    on conflict (host, slot) do update set samples = excluded.samples, cutoffs = excluded.cutoffs, totals = excluded.totals,
                                           page_ids = excluded.page_ids, visitors = excluded.visitors;
    perform roll_quarter(p_host, p_slot);
    select * into made from quarters where host = p_host and slot = p_slot;
    if was.host is not null and not p_replace and made is distinct from was then
        raise exception 'there is other data' using errcode = 'UB001';
    end if;
    if not p_keep_minutes then
        delete from minutes where host = p_host and slot = p_slot;
    end if;
    perform note_months(p_host, p_slot);
    return true;
exception when sqlstate 'UB001' then
    return false;
end $$;
comment on function import_quarter is
'Stores a quarter of an hour that was recorded elsewhere, all of it or nothing. p_minutes: samples, cutoffs and totals as in the table minutes, 15 numbers each, and
p_visitors its means: kept as minutes (p_keep_minutes) and rolled up; null where the quarter is not over. p_taken_at: samples that are kept as they are, ms since
1970, p_counts rows each; of a row its page (a place in p_paths, from 0), its visitors, five sources. False: other data of that quarter are there, and
without p_replace nothing changes. To repeat it changes nothing.';
