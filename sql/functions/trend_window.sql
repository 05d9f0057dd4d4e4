create or replace function trend_window(p_host text, p_as_of timestamptz, p_window interval, p_recent interval)
returns table (kind integer, at timestamptz, number integer, page_ids integer[], counts bytea[], sources bytea[], samples smallint[], cutoffs integer[],
               means integer[], path text, title text, sections text)
language sql stable as $$
    with bounds as materialized (
        select p_as_of - p_window as window_start,
               coalesce((select max(m.slot) + interval '15 minutes' from minutes m
                         where m.host = p_host and m.slot > p_as_of - p_window - interval '15 minutes' and m.slot < p_as_of),
                        p_as_of - p_window - interval '1 minute') as rolled_up
    ), rolled as materialized (
        select m.slot, m.page_ids, m.samples, m.cutoffs, m.visitors from bounds b, minutes m
        where m.host = p_host and m.slot > b.window_start - interval '15 minutes' and m.slot < p_as_of - p_recent
    ), raw as materialized (
        select s.taken_at, s.row_limit, s.page_ids, s.visitors, s.sources from bounds b, snapshots s
        where s.host = p_host and s.taken_at <= p_as_of
          and (s.taken_at >= least(b.rolled_up, p_as_of - p_recent) or s.taken_at between b.window_start and b.window_start + p_recent)
          and s.taken_at >= b.window_start - interval '1 minute'
    ), listed as (
        select unnest(r.page_ids) as page_id from rolled r union select unnest(r.page_ids) from raw r
    )
    select 1, r.slot, null::integer, r.page_ids, null::bytea[], null::bytea[], r.samples, r.cutoffs, r.visitors, null::text, null::text, null::text
    from rolled r
    union all
    select case when r.taken_at >= b.rolled_up then 2 else 3 end, r.taken_at, r.row_limit, r.page_ids, r.visitors,
           case when r.taken_at > p_as_of - p_recent or r.taken_at <= b.window_start + p_recent then r.sources end,
           null, null, null, null, null, null
    from raw r cross join bounds b
    union all
    select 4, (select min(t.since) from titles t where t.page_id = p.page_id), p.page_id, null, null, null, null, null, null,
           p.path, p.title, array_to_string(p.sections, chr(31))
    from listed l join pages p using (page_id)
    order by 1, 2
$$;
comment on function trend_window is
'All that a trend is made of, a row each by kind: 1 the minute means of a quarter (at its start), 2 a snapshot that is not rolled up yet, 3 another
snapshot at the window''s start or end, 4 a page that is listed in any of them (at: first seen; number: its own). Sources where they are wanted.';
