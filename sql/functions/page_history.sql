create or replace function page_history(p_host text, p_path text, p_from timestamptz, p_to timestamptz, p_step interval)
returns table (t timestamptz, visitors numeric, low numeric, high numeric, suspect boolean)
language sql stable as $$
    with page as materialized (select page_number(p_host, p_path) as number), steps as (
        select m.minute as t, 1 as minutes, (m.visitors is not null)::integer as listed, coalesce(m.visitors, 0) as sum,
               case when p.number = 0 or m.visitors is null then m.cutoff else 0 end as cutoff_sum
        from page p cross join lateral page_means(p_host, p.number, date_bin(p_step, p_from, 'epoch'), p_to) m
        where p_step < interval '15 minutes' and (p.number <> 0 or m.visitors is not null)
        union all
        select date_bin(p_step, s.slot, 'epoch'), sum(s.minutes)::integer, sum(s.listed)::integer, sum(s.sum), sum(s.cutoff_sum)
        from page p cross join lateral page_slots(p_host, p.number, date_bin(p_step, p_from, 'epoch'), p_to) s
        where p_step >= interval '15 minutes' group by 1
    ), suspects as (
        select distinct date_bin(p_step, s.taken_at, 'epoch') as t from snapshots s
        where s.host = p_host and s.taken_at >= date_bin(p_step, p_from, 'epoch') and s.taken_at < p_to and s.suspect_since is not null
          and (p_step < interval '15 minutes'
               or s.taken_at < (select max(q.slot) + interval '15 minutes' from quarters q where q.host = p_host))
    )
    select s.t, round(s.sum / 100.0 / nullif(s.listed, 0), 2), round(s.sum / 100.0 / s.minutes, 2),
           case when p.number <> 0 then round((s.sum + s.cutoff_sum) / 100.0 / s.minutes, 2)
                when s.cutoff_sum = 0 then round(s.sum / 100.0 / s.minutes, 2) end,
           false
    from steps s cross join page p
    union all
    select g.t, null, null, null, true from suspects g where not exists (select from steps s where s.t = g.t)
    order by 1
$$;
comment on function page_history is
'Steps of a minute, or of some quarters of an hour, from p_from (included) to p_to, of a page or of the site (no path). visitors: the mean
while it was listed, null where it never was; low: the mean if it had nobody else; high: if it had the cut-off; of the site null where
pages below the cut-off are not known. suspect: there are only snapshots that cannot be believed.';
