create or replace function roll_minutes(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into minutes (host, slot, samples, cutoffs, totals, page_ids, visitors)
    with means as materialized (
        select (extract(epoch from minute - p_slot) / 60)::integer as at, samples, cutoff, page_id, visitors
        from minute_means(p_host, p_slot, p_slot + interval '15 minutes')
    ), grid as (
        select p.page_id, a.at, coalesce(m.visitors, -1) as visitors
        from (select distinct page_id from means where page_id is not null) p
        cross join generate_series(0, 14) a (at)
        left join means m on m.page_id = p.page_id and m.at = a.at
    ), covered as (
        select a.at, coalesce(max(m.samples), 0) as samples, coalesce(max(m.cutoff), 0) as cutoff
        from generate_series(0, 14) a (at) left join means m on m.at = a.at group by a.at
    ), totals as (
        select a.at, coalesce(t.total, 0) as total
        from generate_series(0, 14) a (at)
        left join minute_totals(p_host, p_slot, p_slot + interval '15 minutes') t on t.minute = p_slot + a.at * interval '1 minute'
    )
    select p_host, p_slot,
           (select array_agg(samples::smallint order by at) from covered), (select array_agg(cutoff order by at) from covered),
           (select array_agg(total order by at) from totals),
           coalesce((select array_agg(distinct page_id) from grid), '{}'),
           coalesce((select array_agg(visitors order by page_id, at) from grid), '{}')
    where exists (select from means)
    on conflict (host, slot) do update set
        samples = excluded.samples, cutoffs = excluded.cutoffs, totals = excluded.totals, page_ids = excluded.page_ids,
            visitors = excluded.visitors
$$;
comment on function roll_minutes is 'Makes the minute means of one quarter, or makes them anew, from the snapshots. Nothing without these.';
