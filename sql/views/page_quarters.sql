create view page_quarters as
select q.host, q.slot, p.path, q.minutes, n.listed, n.sum / 100.0 as sum, n.cutoff_sum / 100.0 as cutoff_sum, n.min / 100.0 as min,
    n.max / 100.0 as max,
       n.first / 100.0 as first, q.slot + n.first_at * interval '1 minute' as first_at,
       n.last / 100.0 as last, q.slot + n.last_at * interval '1 minute' as last_at, n.rise / 100.0 as rise, n.fall / 100.0 as fall,
       round(n.sum / 100.0 / n.listed, 2) as avg_listed, round(n.sum / 100.0 / q.minutes, 2) as avg_low,
       round((n.sum + n.cutoff_sum) / 100.0 / q.minutes, 2) as avg_high, (n.last - n.first) / 100.0 as change
from quarters q
cross join lateral unnest(q.page_ids, q.listed, q.sum, q.cutoff_sum, q.min, q.max, q.first, q.first_at, q.last, q.last_at, q.rise, q.fall)
    n (page_id, listed, sum, cutoff_sum, min, max, first, first_at, last, last_at, rise, fall)
join pages p on p.page_id = n.page_id;
comment on view   page_quarters is 'Roll-ups of 15 minutes, a row for each page and quarter in which it was listed. Name the host.';
comment on column page_quarters.host is 'Host name.';
comment on column page_quarters.slot is 'Start of the quarter of an hour.';
comment on column page_quarters.path is 'Path of the page.';
comment on column page_quarters.minutes is 'Minutes of the quarter of which anything is known.';
comment on column page_quarters.listed is 'Minutes in which the page was listed.';
comment on column page_quarters.sum is 'Sum of its means over these.';
comment on column page_quarters.cutoff_sum is 'Sum of the cut-offs over the known minutes in which it was not listed.';
comment on column page_quarters.min is 'Smallest of its means.';
comment on column page_quarters.max is 'Largest of its means.';
comment on column page_quarters.first is 'Its mean in the first minute in which it was listed.';
comment on column page_quarters.first_at is 'That minute.';
comment on column page_quarters.last is 'Its mean in the last minute in which it was listed.';
comment on column page_quarters.last_at is 'That minute.';
comment on column page_quarters.rise is 'Sum of the steps up from one minute to the very next.';
comment on column page_quarters.fall is 'Sum of the steps down, above 0.';
comment on column page_quarters.avg_listed is 'sum / listed: its mean while it was listed.';
comment on column page_quarters.avg_low is 'sum / minutes: as if it had nobody while it was not listed.';
comment on column page_quarters.avg_high is '(sum + cutoff_sum) / minutes: as if it had the cut-off while it was not listed.';
comment on column page_quarters.change is 'last - first.';
