create view increasing_now as
with lists as (
    select c.host, s.taken_at, s.taken_at = c.taken_at as is_newest, n.page_id, n.visitors
    from cache c join snapshots s on s.host = c.host and s.taken_at in (c.taken_at, c.previous_at)
    cross join lateral unnest(s.page_ids, unpack_counts(s.visitors)) n (page_id, visitors)
)
select n.host,
       row_number() over (partition by n.host
           order by n.visitors - b.visitors desc, n.visitors desc, p.path collate "C")::integer as rank,
       coalesce((select l.title from titles l where l.page_id = n.page_id and l.since <= n.taken_at
                 order by l.since desc limit 1), p.title) as title,
       p.path, n.visitors, n.visitors - b.visitors as change
from lists n join lists b on b.host = n.host and b.page_id = n.page_id and n.is_newest and not b.is_newest
join pages p on p.page_id = n.page_id
where n.visitors > b.visitors
order by n.host, rank;
comment on view   increasing_now is 'What /api/v1.0/increasingconcurrents answers, for every host.';
comment on column increasing_now.host is 'Host name.';
comment on column increasing_now.rank is 'Place in the answer.';
comment on column increasing_now.title is 'Title of the page.';
comment on column increasing_now.path is 'Path of the page.';
comment on column increasing_now.visitors is 'Its concurrents in the newest snapshot.';
comment on column increasing_now.change is 'How many more that is than in the snapshot before.';
