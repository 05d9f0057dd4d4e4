create or replace function test_alert_channel(p_name text) returns bigint
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into outbox (channel_id, is_test) select channel_id, true from channels where name = p_name and is_on returning delivery_id
$$;
comment on function test_alert_channel is
'Puts a message without events into the outbox, and returns the number of the delivery. Null: there is no channel of this name, or it is off.';
