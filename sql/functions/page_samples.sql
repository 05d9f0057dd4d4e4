create or replace function page_samples(p_host text, p_page integer, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, samples integer, visitors integer, cutoff integer)
language sql stable as $$
    with taken as (
        -- The list is by visitors descending: the last is the smallest.
        select date_trunc('minute', s.taken_at) as minute, n.rank,
               case when p_page = 0 then sum_counts(s.visitors) else count_at(s.visitors, n.rank) end as visitors,
               case when n.pages >= s.row_limit then count_at(s.visitors, n.pages) else 0 end as cutoff
        from snapshots s
        cross join lateral (
            select case when p_page <> 0 then array_position(s.page_ids, p_page) end as rank, cardinality(s.page_ids) as pages
            offset 0) n
        where s.host = p_host and s.taken_at >= p_from and s.taken_at < p_to and s.suspect_since is null
    )
    select t.minute, count(*)::integer,
           case when p_page = 0 then least(round(100.0 * avg(t.visitors)), 100000000)
                when count(t.rank) > 0 then least(round(100.0 * sum(coalesce(t.visitors, t.cutoff)) / count(*)), 100000000) end::integer,
           round(100.0 * sum(t.cutoff) / count(*))::integer
    from taken t group by t.minute
$$;
comment on function page_samples is
'The minutes of the snapshots from p_from (included) to p_to: the mean of one page (null: not listed) or of the site (0), and the cut-off,
in hundredths. As minute_means, which makes those of all pages.';
