create view snapshot_pages as
select s.host, s.taken_at as time, n.rank::integer, p.path,
       coalesce((select l.title from titles l where l.page_id = n.page_id and l.since <= s.taken_at
                 order by l.since desc limit 1), p.title) as title,
       n.visitors
from snapshots s
cross join lateral unnest(s.page_ids, unpack_counts(s.visitors)) with ordinality n (page_id, visitors, rank)
join pages p on p.page_id = n.page_id;
comment on view   snapshot_pages is 'Every page of every snapshot, a row each. Name the host and a span of time: it grows fast.';
comment on column snapshot_pages.host is 'Host name.';
comment on column snapshot_pages.time is 'Time of the snapshot.';
comment on column snapshot_pages.rank is 'Place in the snapshot, 1 for the most visitors.';
comment on column snapshot_pages.path is 'Path of the page.';
comment on column snapshot_pages.title is 'Its title at that time.';
comment on column snapshot_pages.visitors is 'Its concurrents.';
