create or replace function add_token(
    p_digest bytea, p_hosts text[], p_may text, p_row_limit integer, p_fields text[], p_origins text[], p_until timestamptz, p_note text)
returns integer
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into access_tokens (digest, hosts, may, row_limit, fields, origins, valid_until, note)
    values (p_digest, p_hosts, p_may::token_may, p_row_limit, p_fields, p_origins, p_until, p_note)
    returning token_id
$$;
comment on function add_token is 'Makes a view token of which the SHA-256 is given, and returns its number.';
