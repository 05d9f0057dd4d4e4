create view host_status as
select r.host,
       c.taken_at as last_snapshot,
       clock_timestamp() - c.taken_at as age,
       r.last_error,
       r.last_error_at,
       r.failures,
       case when r.next_try_at > clock_timestamp() then r.next_try_at end as next_try,
       (select count(*) from key_checks k where k.host = r.host and k.state <> 'refused') as keys,
       (select count(*) from key_checks k where k.host = r.host and k.state = 'refused') as refused_keys,
       r.requests,
       r.refused_rows,
       h.asked_at,
       case when h.host is not null then poll_interval(h.poll_every, h.alert_every, h.asked_at, clock_timestamp()) end as poll_every,
       r.next_due_at as next_poll,
       case when h.host is not null then
           left_alone(exists (select from key_checks k where k.host = r.host and k.state <> 'refused'), h.alert_every, h.asked_at, clock_timestamp())
       end as left_alone
from refreshes r left join hosts h using (host) left join cache c using (host)
order by r.host;
comment on view   host_status is 'How each host is doing.';
comment on column host_status.host is 'Host name.';
comment on column host_status.last_snapshot is 'Time of the newest snapshot; null: Chartbeat has not accepted the host yet.';
comment on column host_status.age is 'How old that is.';
comment on column host_status.last_error is 'Why the last failed request to Chartbeat failed.';
comment on column host_status.last_error_at is 'When.';
comment on column host_status.failures is 'Failed refreshes in a row; 0: the last one went well.';
comment on column host_status.next_try is 'Back-off: nobody asks Chartbeat before this; null: no back-off.';
comment on column host_status.keys is 'Keys that Chartbeat accepts for the host, doubted ones included.';
comment on column host_status.refused_keys is 'Keys that it refused and that are still remembered.';
comment on column host_status.requests is 'Requests to Chartbeat so far.';
comment on column host_status.refused_rows is 'Rows of its answers that had no usable path or count, so far.';
comment on column host_status.asked_at is 'When somebody last asked us; at most a minute behind.';
comment on column host_status.poll_every is
'How often the fetcher refreshes it: every minute for an hour after somebody asked us, else every hour, unless hosts.poll_every says
otherwise.';
comment on column host_status.next_poll is 'When that is due next.';
comment on column host_status.left_alone is 'Why it is not refreshed by the clock; null: it is.';
