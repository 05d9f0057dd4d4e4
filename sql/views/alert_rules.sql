create view alert_rules as
select r.rule_id as id, c.name as channel, r.host, r.kinds::text[] as kinds, r.min_visitors, r.min_ratio, r.sections, r.paths, r.sources,
       r.quiet_from, r.quiet_until, r.time_zone, r.at_most_per_hour, r.created_at
from channel_rules r join channels c using (channel_id) order by r.rule_id;
comment on view   alert_rules is 'Which events a channel is told of; upbeat-alert rule makes and removes them. Null: no bound.';
comment on column alert_rules.id is 'Number of the rule.';
comment on column alert_rules.channel is 'Name of the channel.';
comment on column alert_rules.host is 'Host; null: all.';
comment on column alert_rules.kinds is 'Kinds of events.';
comment on column alert_rules.min_visitors is 'Visitors, or of what falls those expected, at least.';
comment on column alert_rules.min_ratio is 'Visitors against those expected, or the other way round, at least.';
comment on column alert_rules.sections is 'Pages of one of these sections.';
comment on column alert_rules.paths is 'Pages whose path begins with one of these.';
comment on column alert_rules.sources is 'Caused by one of these.';
comment on column alert_rules.quiet_from is 'From then on it is quiet.';
comment on column alert_rules.quiet_until is 'Until then; what happened meanwhile is told in one message.';
comment on column alert_rules.time_zone is 'By whose clocks; null: those of the host.';
comment on column alert_rules.at_most_per_hour is 'Messages in an hour; what is more is told in one message after.';
comment on column alert_rules.created_at is 'When it was made.';
