create or replace function suspect_since(p_host text, p_taken_at timestamptz, p_row_limit integer, p_ids integer[], p_visitors integer[])
returns timestamptz
language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
declare
    last   snapshots;
    before snapshots;
    share  constant numeric := 0.4;
    noise  constant numeric := 4;
    rows   constant integer := (select count(*) from unnest(p_visitors) v where v > 0);
    total  constant bigint := (select coalesce(sum(v), 0) from unnest(p_visitors) v);
    cutoff constant integer := case when cardinality(p_ids) > 0 and cardinality(p_ids) >= p_row_limit
                                    then (select min(v) from unnest(p_visitors) v) else 0 end;
    rows_before  integer;
    total_before bigint;
    rows_usual   integer;
    total_usual  bigint;
    dropped      boolean;
begin
    select * into last from snapshots where host = p_host and taken_at < p_taken_at and taken_at >= p_taken_at - interval '30 minutes'
    order by taken_at desc limit 1;
    if not found then
        return null;
    end if;
    before := last;
    if last.suspect_since is not null then
        select * into before from snapshots where host = p_host and taken_at < last.suspect_since and suspect_since is null
        order by taken_at desc limit 1;
        if not found then
            return null;
        end if;
    end if;
    select count(*) filter (where v > 0), coalesce(sum(v), 0) into rows_before, total_before from unnest(unpack_counts(before.visitors)) v;
    if rows >= share * rows_before and total >= share * total_before then
        return null;
    end if;
    select percentile_disc(0.5) within group (order by n.rows), percentile_disc(0.5) within group (order by n.total)
    into rows_usual, total_usual
    from (select distinct on (date_bin('30 s', s.taken_at, 'epoch')) s.visitors -- of those that stand close a few are enough
          from snapshots s
          where s.host = p_host and s.taken_at between before.taken_at - interval '10 minutes' and before.taken_at and s.suspect_since is null
          order by date_bin('30 s', s.taken_at, 'epoch'), s.taken_at offset 0) s
    cross join lateral (select count(*) filter (where v > 0) as rows, coalesce(sum(v), 0) as total from unnest(unpack_counts(s.visitors)) v) n;
    if not (rows < share * rows_before and rows_before - rows > noise * sqrt(rows_before) and rows < share * rows_usual and rows_usual - rows > noise * sqrt(rows_usual)
            or total < share * total_before and total_before - total > noise * sqrt(total_before) and total < share * total_usual and total_usual - total > noise * sqrt(total_usual)) then
        return null;
    end if;
    select 2 * count(*) filter (where coalesce(n.visitors, 0) < share * b.visitors) > count(*) into dropped
    from unnest(before.page_ids, unpack_counts(before.visitors)) b (page_id, visitors)
    left join unnest(p_ids, p_visitors) n (page_id, visitors) using (page_id)
    where b.visitors > 0 and cutoff < share * b.visitors;
    return case when dropped then coalesce(last.suspect_since, p_taken_at) end;
end $$;
comment on function suspect_since is
'Whether a new list can be believed: null, or since when the host''s lists are suspect. It is where rows or total have dropped below 0.4 of the last good
list and of the median of the 10 minutes before it, by more than 4 roots of each, and most pages of that list with them. As lib/pages/suspect.h.';
