create view alert_channels as
select c.channel_id as id, c.name, c.kind::text as kind, c.shown, c.is_on, c.off_reason, c.old_secret_until,
       (select count(*) from outbox o where o.channel_id = c.channel_id and o.state = 'waiting') as waiting,
       (select count(*) from outbox_events e where e.channel_id = c.channel_id and e.delivery_id is null) as held,
       (select max(o.done_at) from outbox o where o.channel_id = c.channel_id and o.state = 'delivered') as delivered_at,
       c.created_at
from channels c order by c.name;
comment on view   alert_channels is 'Where alerts go; upbeat-alert channel makes and removes them.';
comment on column alert_channels.id is 'Number of the channel.';
comment on column alert_channels.name is 'Its name.';
comment on column alert_channels.kind is 'webhook, slack or mail.';
comment on column alert_channels.shown is 'What may be seen of its address.';
comment on column alert_channels.is_on is 'False: nothing is delivered there, until upbeat-alert channel enable.';
comment on column alert_channels.off_reason is 'Why it is off.';
comment on column alert_channels.old_secret_until is 'Until then messages are signed with the secret before, too.';
comment on column alert_channels.waiting is 'Messages that wait for delivery.';
comment on column alert_channels.held is 'Events that wait for a message.';
comment on column alert_channels.delivered_at is 'When the last message was delivered.';
comment on column alert_channels.created_at is 'When it was made.';
