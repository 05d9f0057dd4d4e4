create or replace function minute_means(p_host text, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, samples smallint, cutoff integer, page_id integer, visitors integer)
language sql stable as $$
    with taken as (
        select date_trunc('minute', s.taken_at) as minute, s.page_ids, n.visitors,
               case when cardinality(s.page_ids) >= s.row_limit then (select min(v) from unnest(n.visitors) v) else 0 end as cutoff
        from snapshots s cross join lateral (select unpack_counts(s.visitors) offset 0) n (visitors)
        where s.host = p_host and s.taken_at >= p_from and s.taken_at < p_to and s.suspect_since is null
    ), covered as (
        select minute, count(*) as samples, sum(cutoff) as cutoff_sum from taken group by minute
    ), listed as (
        select t.minute, n.page_id, sum(n.visitors) as visitor_sum, sum(t.cutoff) as cutoff_sum
        from taken t cross join lateral unnest(t.page_ids, t.visitors) n (page_id, visitors)
        group by t.minute, n.page_id
    )
    select c.minute, c.samples::smallint, round(100.0 * c.cutoff_sum / c.samples)::integer, l.page_id,
           least(round(100.0 * (l.visitor_sum + c.cutoff_sum - l.cutoff_sum) / c.samples), 100000000)::integer
    from covered c left join listed l using (minute)
$$;
comment on function minute_means is
'The one-minute means of a host''s snapshots from p_from (included) to p_to, in hundredths of a visitor. A page that stood in some of a
minute''s snapshots counts in the others with their cut-off. A minute whose snapshots are empty has one row without a page; one without
snapshots has none.';
