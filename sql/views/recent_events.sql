create view recent_events as
select e.host, e.kind, e.path, e.title, e.began_at, e.ended_at, e.visitors, e.expected, e.peak, e.peak_at, e.score, e.causes
from events e where e.began_at > now() - interval '24 hours'
order by e.began_at desc;
comment on view   recent_events is 'The events of the last 24 hours, newest first.';
comment on column recent_events.host is 'Host name.';
comment on column recent_events.kind is 'What it is.';
comment on column recent_events.path is 'Path of the page; null: the whole site.';
comment on column recent_events.title is 'Its title when the event began.';
comment on column recent_events.began_at is 'The snapshot at which it was told.';
comment on column recent_events.ended_at is 'When it was over; null: it is open.';
comment on column recent_events.visitors is 'Visitors when it began.';
comment on column recent_events.expected is 'What was expected then.';
comment on column recent_events.peak is 'Visitors at the peak.';
comment on column recent_events.peak_at is 'When that was.';
comment on column recent_events.score is 'How sure it is.';
comment on column recent_events.causes is 'The sources that make up two thirds of the change.';
