create or replace function minute_totals(p_host text, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, total integer)
language sql stable as $$
    select date_trunc('minute', s.taken_at), least(round(100.0 * avg(t.total)), 100000000)::integer
    from snapshots s cross join lateral (select sum_counts(s.visitors) as total offset 0) t
    where s.host = p_host and s.taken_at >= p_from and s.taken_at < p_to and s.suspect_since is null
    group by 1
$$;
comment on function minute_totals is
'Visitors of all listed pages together, in hundredths: the mean of each minute''s snapshots, from p_from (included) to p_to.';
