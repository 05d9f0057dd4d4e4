create or replace function enable_alert_channel(p_name text) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update channels set is_on = true, off_reason = null where name = p_name returning true
$$;
comment on function enable_alert_channel is 'Turns a channel on again that its receiver has turned off. Null: there is none of this name.';
