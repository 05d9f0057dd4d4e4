create or replace function open_rule(p_rule_ids integer[], p_host text, p_at timestamptz) returns table (rule_id integer, held_until timestamptz)
language sql stable as $$
    select r.rule_id, greatest(
        quiet_end(r.quiet_from, r.quiet_until, coalesce(r.time_zone, (select h.time_zone from hosts h where h.host = p_host), 'UTC'), p_at),
        (select o.created_at + interval '1 hour' from outbox o
         where o.channel_id = r.channel_id and o.created_at > p_at - interval '1 hour' and o.created_at <= p_at and o.rule_ids @> array[r.rule_id]
         order by o.created_at desc offset r.at_most_per_hour - 1 limit case when r.at_most_per_hour is null then 0 else 1 end)) as held_until
    from channel_rules r where r.rule_id = any (p_rule_ids)
    order by 2 nulls first, r.at_most_per_hour nulls first, r.rule_id limit 1
$$;
comment on function open_rule is
'Of some rules the one that lets an event of the host through first: at once (null), or when its quiet hours are over and its messages of the last hour
are fewer than it allows. No row: the rules are gone.';
