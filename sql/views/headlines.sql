create view headlines as
select p.host, p.path, t.since, lead(t.since) over (partition by t.page_id order by t.since) as until, t.title
from titles t join pages p using (page_id);
comment on view   headlines is 'The headline log: each title of each page, and the time for which it held.';
comment on column headlines.host is 'Host name.';
comment on column headlines.path is 'Path of the page.';
comment on column headlines.since is 'First snapshot with this title.';
comment on column headlines.until is 'First snapshot with the next one; null: it still holds.';
comment on column headlines.title is 'The title.';
