-- Views for people with psql.

create view host_status as
select r.host,
       c.taken_at as last_snapshot,
       clock_timestamp() - c.taken_at as age,
       r.last_error,
       r.last_error_at,
       r.failures,
       case when r.next_try_at > clock_timestamp() then r.next_try_at end as next_try,
       (select count(*) from key_checks k where k.host = r.host and k.accepted) as keys,
       (select count(*) from key_checks k where k.host = r.host and not k.accepted) as refused_keys,
       r.requests,
       r.refused_rows,
       h.asked_at
from refills r left join hosts h using (host) left join cache c using (host)
order by r.host;
comment on view   host_status is 'How each host is doing.';
comment on column host_status.host is 'Host name.';
comment on column host_status.last_snapshot is 'Time of the newest snapshot; null: Chartbeat has not accepted the host yet.';
comment on column host_status.age is 'How old that is.';
comment on column host_status.last_error is 'Why the last failed request to Chartbeat failed.';
comment on column host_status.last_error_at is 'When.';
comment on column host_status.failures is 'Failed refills in a row; 0: the last one went well.';
comment on column host_status.next_try is 'Back-off: nobody asks Chartbeat before this; null: no back-off.';
comment on column host_status.keys is 'Keys that Chartbeat accepts for the host.';
comment on column host_status.refused_keys is 'Keys that it refused and that are still remembered.';
comment on column host_status.requests is 'Requests to Chartbeat so far.';
comment on column host_status.refused_rows is 'Rows of its answers that had no usable path or count, so far.';
comment on column host_status.asked_at is 'When somebody last asked us; at most a minute behind.';

create view snapshot_pages as
select s.host, s.taken_at as time, n.rank::integer, p.path,
       coalesce((select l.title from titles l where l.page_id = n.page_id and l.since <= s.taken_at
                 order by l.since desc limit 1), p.title) as title,
       n.visitors
from snapshots s
cross join lateral unnest(s.page_ids, s.visitors) with ordinality n (page_id, visitors, rank)
join pages p on p.page_id = n.page_id;
comment on view   snapshot_pages is 'Every page of every snapshot, a row each. Name the host and a span of time: it grows fast.';
comment on column snapshot_pages.host is 'Host name.';
comment on column snapshot_pages.time is 'Time of the snapshot.';
comment on column snapshot_pages.rank is 'Place in the snapshot, 1 for the most visitors.';
comment on column snapshot_pages.path is 'Path of the page.';
comment on column snapshot_pages.title is 'Its title at that time.';
comment on column snapshot_pages.visitors is 'Its concurrents.';

create view increasing_now as
select c.host,
       row_number() over (partition by c.host
           order by n.visitors - b.visitors desc, n.visitors desc, n.path collate "C")::integer as rank,
       n.title, n.path, n.visitors, n.visitors - b.visitors as change
from cache c
join snapshot_pages n on n.host = c.host and n.time = c.taken_at
join snapshot_pages b on b.host = c.host and b.time = c.previous_at and b.path = n.path
where n.visitors > b.visitors
order by c.host, rank;
comment on view   increasing_now is 'What /api/v1.0/increasingconcurrents answers, for every host.';
comment on column increasing_now.host is 'Host name.';
comment on column increasing_now.rank is 'Place in the answer.';
comment on column increasing_now.title is 'Title of the page.';
comment on column increasing_now.path is 'Path of the page.';
comment on column increasing_now.visitors is 'Its concurrents in the newest snapshot.';
comment on column increasing_now.change is 'How many more that is than in the snapshot before.';

create view apikey_hosts as
select left(encode(k.digest, 'hex'), 8) as key, k.host,
       case when k.accepted then 'accepted' else 'refused' end as verdict,
       k.checked_at
from key_checks k
order by 1, 2;
comment on view   apikey_hosts is 'Which key is accepted for which host. A key shows as the first 8 hex digits of its SHA-256.';
comment on column apikey_hosts.key is 'First 8 hex digits of the key''s digest: printf %s KEY | sha256sum.';
comment on column apikey_hosts.host is 'Host name.';
comment on column apikey_hosts.verdict is 'accepted or refused: Chartbeat''s last word.';
comment on column apikey_hosts.checked_at is 'When Chartbeat was last asked.';

grant select on host_status, snapshot_pages, increasing_now, apikey_hosts to upbeat_app;
