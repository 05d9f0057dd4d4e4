create or replace function add_alert_rule(
    p_channel text, p_host text, p_kinds text[], p_min_visitors real, p_min_ratio real, p_sections text[], p_paths text[], p_sources text[],
    p_quiet_from time, p_quiet_until time, p_time_zone text, p_at_most_per_hour integer) returns integer
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into channel_rules (channel_id, host, kinds, min_visitors, min_ratio, sections, paths, sources, quiet_from, quiet_until, time_zone, at_most_per_hour)
    select channel_id, p_host, p_kinds::event_kind[], coalesce(p_min_visitors, 0), coalesce(p_min_ratio, 0), p_sections, p_paths, p_sources,
           p_quiet_from, p_quiet_until, p_time_zone, p_at_most_per_hour
    from channels where name = p_channel returning rule_id
$$;
comment on function add_alert_rule is
'Says which events a channel is told of, and returns the number of the rule; null: there is no such channel. What is null does not bound.';
