create or replace function try_alert_rule(
    p_channel text, p_host text, p_kinds text[], p_min_visitors real, p_min_ratio real, p_sections text[], p_paths text[], p_sources text[],
    p_quiet_from time, p_quiet_until time, p_time_zone text, p_at_most_per_hour integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    made    integer := add_alert_rule(p_channel, p_host, p_kinds, p_min_visitors, p_min_ratio, p_sections, p_paths, p_sources,
                                      p_quiet_from, p_quiet_until, p_time_zone, p_at_most_per_hour);
    matches bigint := rule_matches(made);
begin
    delete from channel_rules where rule_id = made;
    return matches;
end $$;
comment on function try_alert_rule is
'How many events of the last 24 hours such a rule would have told of: it is made and taken away in one transaction, so that nobody sees it. Null: there is no such channel.';
