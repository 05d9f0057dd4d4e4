create or replace function add_alert_channel(p_name text, p_kind text, p_shown text, p_sealed_address bytea, p_sealed_secret bytea) returns integer
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into channels (name, kind, shown, sealed_address, sealed_secret) values (p_name, p_kind::channel_kind, p_shown, p_sealed_address, p_sealed_secret)
    on conflict (name) do nothing returning channel_id
$$;
comment on function add_alert_channel is
'Makes a channel, and returns its number; null: there is one of this name. The address, and the signing secret of a webhook, are sealed by the program;
p_shown is what people may see of the address.';
