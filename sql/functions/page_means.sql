create or replace function page_means(p_host text, p_page integer, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, visitors integer, cutoff integer)
language sql stable as $$
    with rolled as materialized (
        select coalesce((select max(slot) + interval '15 minutes' from minutes where host = p_host), '-infinity') as until
    )
    select m.slot + a.at * interval '1 minute',
           case when p_page = 0 then m.totals[a.at + 1] else nullif(m.visitors[15 * (n.rank - 1) + a.at + 1], -1) end,
           m.cutoffs[a.at + 1]
    from minutes m
    cross join lateral (select array_position(m.page_ids, p_page) offset 0) n (rank)
    cross join generate_series(0, 14) a (at)
    where m.host = p_host and m.slot > p_from - interval '15 minutes' and m.slot < p_to and m.samples[a.at + 1] > 0
      and m.slot + a.at * interval '1 minute' >= p_from and m.slot + a.at * interval '1 minute' < p_to
    union all
    select n.minute, n.visitors, n.cutoff
    from rolled r cross join lateral page_samples(p_host, p_page, greatest(p_from, r.until), p_to) n
    order by 1
$$;
comment on function page_means is
'The known minutes from p_from (included, a whole minute) to p_to: the mean of one page (null: not listed) or of the site (0), and the
cut-off, in hundredths. Those of the running quarter too.';
