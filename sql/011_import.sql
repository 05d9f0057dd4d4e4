-- Samples that were recorded elsewhere: upbeat-import calls these as the owner.

create function import_pages(p_host text, p_at timestamptz, p_paths text[], p_titles text[], p_sections text[]) returns integer[]
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    insert into hosts (host) values (p_host) on conflict do nothing;
    insert into pages (host, path, title, sections)
    select p_host, n.path, coalesce(nullif(n.title, ''), n.path), coalesce(string_to_array(nullif(n.sections, ''), chr(31)), '{}')
    from unnest(p_paths, p_titles, p_sections) n (path, title, sections)
    where not exists (select from pages where host = p_host and path = n.path)
    on conflict do nothing;
    insert into titles (page_id, since, title)
    select p.page_id, p_at, p.title from unnest(p_paths) n (path) cross join lateral (select * from pages where host = p_host and path = n.path offset 0) p
    where not exists (select from titles t where t.page_id = p.page_id)
    on conflict do nothing;
    -- What comes in newest first moves the beginning of a title back; another title before the first one is a headline of its own.
    with given as (
        select p.page_id, f.since, f.title as first_title, coalesce(nullif(n.title, ''), f.title) as title
        from unnest(p_paths, p_titles) n (path, title)
        cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p
        cross join lateral (select since, title from titles where page_id = p.page_id order by since limit 1) f
        where f.since > p_at
    ), moved as (
        update titles t set since = p_at from given g where g.title = g.first_title and t.page_id = g.page_id and t.since = g.since
    )
    insert into titles (page_id, since, title) select g.page_id, p_at, g.title from given g where g.title <> g.first_title on conflict do nothing;
    -- And a title that is not the one of that time begins then.
    insert into titles (page_id, since, title)
    select p.page_id, p_at, n.title
    from unnest(p_paths, p_titles) n (path, title)
    cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p
    cross join lateral (select title from titles where page_id = p.page_id and since <= p_at order by since desc limit 1) l
    where n.title <> '' and l.title <> n.title
    on conflict do nothing;
    return (select array_agg(p.page_id order by n.rank)
            from unnest(p_paths) with ordinality n (path, rank)
            cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p);
end $$;
comment on function import_pages is
'The numbers of these pages of a host, which are made where they are new. A title of '''' says nothing of the title; sections are joined by chr(31).';

create function import_quarter(p_host text, p_slot timestamptz, p_paths text[], p_titles text[], p_sections text[], p_minutes integer[], p_visitors integer[],
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

revoke execute on function import_pages, import_quarter from public;
