create or replace function revoke_token(p_id integer) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    update access_tokens set revoked_at = coalesce(revoked_at, clock_timestamp()) where token_id = p_id returning true
$$;
comment on function revoke_token is 'Takes a view token away at once. Null: there is no token of this number.';
