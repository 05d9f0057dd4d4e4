create view page_minutes as
with points as (
    select m.host, m.slot + a.at * interval '1 minute' as minute, m.samples[a.at + 1] as samples, m.cutoffs[a.at + 1] as cutoff,
           p.page_id, m.visitors[15 * (p.rank - 1) + a.at + 1] as visitors
    from minutes m
    cross join generate_series(0, 14) a (at)
    cross join lateral unnest(m.page_ids) with ordinality p (page_id, rank)
    where m.samples[a.at + 1] > 0
    union all
    select h.host, n.minute, n.samples, n.cutoff, n.page_id, n.visitors
    from hosts h
    cross join lateral (select coalesce(max(m.slot) + interval '15 minutes', '-infinity') from minutes m where m.host = h.host) d (rolled)
    cross join lateral minute_means(h.host, d.rolled, 'infinity') n
    where n.page_id is not null
)
select t.host, t.minute, p.path, t.visitors / 100.0 as visitors, t.samples, t.cutoff / 100.0 as cutoff
from points t join pages p using (page_id)
where t.visitors >= 0;
comment on view   page_minutes is
'One-minute means, a row for each page and minute in which it was listed; the minutes of the running quarter too. Name the host.';
comment on column page_minutes.host is 'Host name.';
comment on column page_minutes.minute is 'Start of the minute.';
comment on column page_minutes.path is 'Path of the page.';
comment on column page_minutes.visitors is 'Mean of its concurrents, to hundredths.';
comment on column page_minutes.samples is 'Snapshots of that minute.';
comment on column page_minutes.cutoff is 'What a page that was not listed had at most.';
