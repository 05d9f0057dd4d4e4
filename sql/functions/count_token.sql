create or replace function count_token(p_id integer, p_requests integer) returns boolean
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    insert into token_use as u (token_id, requests, last_used_at)
    select token_id, p_requests, date_trunc('minute', clock_timestamp()) from access_tokens where token_id = p_id
    on conflict (token_id) do update set requests = u.requests + excluded.requests, last_used_at = excluded.last_used_at
    returning true
$$;
comment on function count_token is
'Adds to the requests of a view token; the fetcher calls it with what workers have counted. Null: there is no such token.';
