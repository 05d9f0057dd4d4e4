create or replace function roll_quarter(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into quarters
    with points as (
        -- To concatenate fetches and unpacks the stored array (TOAST) once, which a subscript of it would do for each point.
        select p.page_id, a.at, d.visitors[15 * (p.rank - 1) + a.at + 1] as visitors, m.cutoffs[a.at + 1] as cutoff
        from minutes m
        cross join lateral (select m.visitors || '{}'::integer[] as visitors offset 0) d
        cross join lateral unnest(m.page_ids) with ordinality p (page_id, rank)
        cross join generate_series(0, 14) a (at)
        where m.host = p_host and m.slot = p_slot and m.samples[a.at + 1] > 0
        union all
        select 0, a.at, m.totals[a.at + 1], m.cutoffs[a.at + 1]
        from minutes m cross join generate_series(0, 14) a (at)
        where m.host = p_host and m.slot = p_slot and m.samples[a.at + 1] > 0 and m.totals is not null
    ), steps as (
        select *, case when visitors >= 0 and lag(visitors) over w >= 0 and lag(at) over w = at - 1
                       then visitors - lag(visitors) over w else 0 end as step
        from points window w as (partition by page_id order by at)
    ), rolled as (
        select page_id,
               count(*) filter (where visitors >= 0) as listed,
               coalesce(sum(visitors) filter (where visitors >= 0), 0) as sum,
               coalesce(sum(cutoff) filter (where visitors < 0 or page_id = 0), 0) as cutoff_sum,
               min(visitors) filter (where visitors >= 0) as min, max(visitors) as max,
               (array_agg(visitors order by at) filter (where visitors >= 0))[1] as first,
               min(at) filter (where visitors >= 0) as first_at,
               (array_agg(visitors order by at desc) filter (where visitors >= 0))[1] as last,
               max(at) filter (where visitors >= 0) as last_at,
               coalesce(sum(step) filter (where step > 0), 0) as rise, coalesce(-sum(step) filter (where step < 0), 0) as fall
        from steps group by page_id
    )
    select p_host, p_slot, (select count(*) from minutes m, unnest(m.samples) n where m.host = p_host and m.slot = p_slot and n > 0),
           coalesce(array_agg(page_id order by page_id), '{}'), coalesce(array_agg(listed::smallint order by page_id), '{}'),
           coalesce(array_agg(sum::integer order by page_id), '{}'), coalesce(array_agg(cutoff_sum::integer order by page_id), '{}'),
           coalesce(array_agg(min order by page_id), '{}'), coalesce(array_agg(max order by page_id), '{}'),
           coalesce(array_agg(first order by page_id), '{}'), coalesce(array_agg(first_at::smallint order by page_id), '{}'),
           coalesce(array_agg(last order by page_id), '{}'), coalesce(array_agg(last_at::smallint order by page_id), '{}'),
           coalesce(array_agg(rise::integer order by page_id), '{}'), coalesce(array_agg(fall::integer order by page_id), '{}')
    from rolled
    having exists (select from minutes m where m.host = p_host and m.slot = p_slot)
    on conflict (host, slot) do update set
        minutes = excluded.minutes, page_ids = excluded.page_ids, listed = excluded.listed, sum = excluded.sum,
        cutoff_sum = excluded.cutoff_sum, min = excluded.min, max = excluded.max, first = excluded.first, first_at = excluded.first_at,
        last = excluded.last, last_at = excluded.last_at, rise = excluded.rise, fall = excluded.fall
$$;
comment on function roll_quarter is 'Makes one roll-up, or makes it anew, from the minute means. Nothing without these.';
