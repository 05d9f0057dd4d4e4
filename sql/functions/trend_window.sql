create or replace function trend_window(p_host text, p_as_of timestamptz, p_window interval, p_recent interval)
returns table (kind text, at timestamptz, row_limit integer, page_ids integer[], counts bytea[], sources bytea[], samples smallint[],
               cutoffs integer[], means integer[])
language sql stable as $$
    with bounds as materialized (
        select p_as_of - p_window as window_start, (p_window - p_recent) / 30 as step,
               coalesce((select max(m.slot) + interval '15 minutes' from minutes m
                         where m.host = p_host and m.slot > p_as_of - p_window - interval '15 minutes' and m.slot < p_as_of),
                        p_as_of - p_window - interval '1 minute') as rolled_up
    ), before as materialized (
        select s.* from bounds b cross join generate_series(0, 29) n cross join lateral (
            select s.taken_at, s.row_limit, s.page_ids, s.visitors, s.sources from snapshots s
            where s.host = p_host and s.taken_at > b.window_start + n * b.step and s.taken_at <= b.window_start + (n + 1) * b.step
              and s.suspect_since is null
            order by s.taken_at limit 1) s
    )
    (select 'minutes', m.slot, null::integer, m.page_ids, null::bytea[], null::bytea[], m.samples, m.cutoffs, m.visitors
     from bounds b, minutes m
     where m.host = p_host and m.slot > b.window_start - interval '15 minutes' and m.slot < p_as_of - p_recent
     order by m.slot)
    union all
    (select case when s.taken_at >= b.rolled_up then 'unrolled' else 'edge' end, s.taken_at, s.row_limit, s.page_ids, s.visitors,
            case when s.taken_at > p_as_of - p_recent or s.taken_at in (select taken_at from before) then s.sources end, null, null, null
     from bounds b, snapshots s
     where s.host = p_host and s.taken_at <= p_as_of and s.suspect_since is null
       and s.taken_at >= greatest(least(b.rolled_up, p_as_of - p_recent), b.window_start - interval '1 minute')
     order by s.taken_at >= b.rolled_up desc, s.taken_at)
    union all
    select 'before', s.taken_at, s.row_limit, s.page_ids, s.visitors, s.sources, null, null, null
    from before s, bounds b where s.taken_at < least(b.rolled_up, p_as_of - p_recent)
$$;
comment on function trend_window is
'All counts that a trend is made of, a row each by kind: minutes: the minute means of a quarter (at its start); unrolled: a snapshot that
is not rolled up yet; edge: another snapshot at the window''s end; before: the first of a thirtieth of the window, that says where visitors
came from. Sources where they are wanted. trend_pages tells what the pages are.';
