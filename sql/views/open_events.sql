create view open_events as
select e.host, e.kind, e.path, e.title, e.began_at, e.visitors, e.expected, e.peak, e.peak_at, e.score, e.causes
from events e where e.ended_at is null
order by e.began_at desc;
comment on view   open_events is 'Events that are not over, newest first.';
comment on column open_events.host is 'Host name.';
comment on column open_events.kind is 'rise, takeoff, fall, site_high, site_low, outage.';
comment on column open_events.path is 'Path of the page; null: the whole site.';
comment on column open_events.title is 'Its title when the event began.';
comment on column open_events.began_at is 'The snapshot at which it was told.';
comment on column open_events.visitors is 'Visitors then.';
comment on column open_events.expected is 'What was expected then.';
comment on column open_events.peak is 'Visitors at the peak, as far as it was stored.';
comment on column open_events.peak_at is 'When that was.';
comment on column open_events.score is 'How sure it is.';
comment on column open_events.causes is 'The sources that make up two thirds of the change.';
