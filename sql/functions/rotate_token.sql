create or replace function rotate_token(p_id integer, p_digest bytea, p_overlap interval) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    old access_tokens;
    id  integer;
    at  constant timestamptz := clock_timestamp();
begin
    select * into old from access_tokens where token_id = p_id and revoked_at is null and (valid_until is null or valid_until > at)
    for update;
    if not found then
        return null;
    end if;
    insert into access_tokens (digest, hosts, may, row_limit, fields, origins, valid_until, replaces, note)
    values (p_digest, old.hosts, old.may, old.row_limit, old.fields, old.origins, old.valid_until, p_id, old.note)
    returning token_id into id;
    update access_tokens set valid_until = least(valid_until, at + p_overlap) where token_id = p_id;
    return id;
end $$;
comment on function rotate_token is
'Makes a token that may do what another may, and lets the other one expire after p_overlap; returns the number of the new one. Null: there
is no valid token of this number.';
