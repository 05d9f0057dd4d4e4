create or replace function remove_alert_rule(p_id integer) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    delete from channel_rules where rule_id = p_id returning true
$$;
comment on function remove_alert_rule is 'Takes a rule away; what is held back by it alone is not told any more. Null: there is none of this number.';
