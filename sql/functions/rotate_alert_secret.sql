create or replace function rotate_alert_secret(p_name text, p_sealed bytea, p_overlap interval) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update channels set sealed_old_secret = sealed_secret, old_secret_until = clock_timestamp() + p_overlap, sealed_secret = p_sealed
    where name = p_name and kind = 'webhook' returning true
$$;
comment on function rotate_alert_secret is
'Gives a webhook another signing secret; for p_overlap messages are signed with both. Null: there is no webhook of this name.';
