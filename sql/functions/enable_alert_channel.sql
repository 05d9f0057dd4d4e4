create or replace function enable_alert_channel(p_name text) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    with turned as (
        update channels set is_on = true, off_reason = null where name = p_name and not is_on returning channel_id),
    forgotten as (
        delete from outbox_events e using turned t where e.channel_id = t.channel_id and e.delivery_id is null),
    given_up as (
        update outbox o set state = 'given_up', done_at = clock_timestamp(), said = 'the channel was off'
        from turned t where o.channel_id = t.channel_id and o.state = 'waiting')
    select true from channels where name = p_name
$$;
comment on function enable_alert_channel is
'Turns a channel on again that its receiver has turned off: for what happens from now on. What waited is given up. Null: there is none of this name.';
