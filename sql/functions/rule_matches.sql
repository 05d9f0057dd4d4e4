create or replace function rule_matches(p_rule_id integer) returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select (select count(*) from events e where e.began_at > clock_timestamp() - interval '24 hours' and rule_takes(r, e))
    from channel_rules r where r.rule_id = p_rule_id
$$;
comment on function rule_matches is 'How many events of the last 24 hours a rule would have told of; null: there is no such rule.';
