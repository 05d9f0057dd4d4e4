create view deliveries as
select o.delivery_id as id, o.message_id, c.name as channel, o.created_at, o.state::text as state, o.attempts,
       case when o.state = 'waiting' then o.next_try_at end as next_try_at, o.done_at, o.http_status, o.said, o.is_test, o.is_held,
       (select array_agg(concat_ws(' ', e.kind, case when e.is_end then 'ended' else 'began' end, e.host || e.path, case when e.path is null then e.host end)
                         order by e.item_id)
        from outbox_events e where e.delivery_id = o.delivery_id) as events
from outbox o join channels c using (channel_id) order by o.delivery_id desc;
comment on view   deliveries is 'The messages of the last 30 days, newest first: what, when, and what became of them.';
comment on column deliveries.id is 'Number of the delivery.';
comment on column deliveries.message_id is 'By which the receiver knows it again, however often it was sent.';
comment on column deliveries.channel is 'Where it goes.';
comment on column deliveries.created_at is 'When the message was made.';
comment on column deliveries.state is 'waiting; delivered; refused, by the receiver, for good; given_up, after 24 hours.';
comment on column deliveries.attempts is 'How often it was sent.';
comment on column deliveries.next_try_at is 'When it is sent again at the earliest.';
comment on column deliveries.done_at is 'When it was delivered, refused or given up.';
comment on column deliveries.http_status is 'Status of the last answer; null: there was none, or it is a mail.';
comment on column deliveries.said is 'What went wrong with the last attempt.';
comment on column deliveries.is_test is 'Sent by upbeat-alert channel test.';
comment on column deliveries.is_held is 'What quiet hours or a bound by the hour had held back.';
comment on column deliveries.events is 'What it tells.';
