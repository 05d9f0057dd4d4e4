create or replace function remove_alert_channel(p_name text) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    delete from channels where name = p_name returning true
$$;
comment on function remove_alert_channel is 'Takes a channel away, with its rules and all that was to be delivered. Null: there is none of this name.';
