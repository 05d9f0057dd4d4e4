create view alert_silences as
select s.silence_id as id, s.host, s.path, s.silent_until as until, s.created_at
from silences s where s.silent_until > clock_timestamp() order by s.silent_until;
comment on view   alert_silences is 'What nobody is told of for the time being.';
comment on column alert_silences.id is 'Number of the silence.';
comment on column alert_silences.host is 'Host.';
comment on column alert_silences.path is 'Its page; null: all of it.';
comment on column alert_silences.until is 'Until when.';
comment on column alert_silences.created_at is 'When it was made.';
