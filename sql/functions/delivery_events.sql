create or replace function delivery_events(p_delivery_id bigint) returns setof outbox_events
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select * from outbox_events where delivery_id = p_delivery_id order by item_id
$$;
comment on function delivery_events is 'The events of a message, in the order in which they were found.';
