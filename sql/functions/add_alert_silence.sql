create or replace function add_alert_silence(p_host text, p_path text, p_until timestamptz) returns integer
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    delete from silences where (host = p_host and path is not distinct from p_path) or silent_until < clock_timestamp() - interval '30 days';
    insert into silences (host, path, silent_until) values (p_host, p_path, p_until) returning silence_id
$$;
comment on function add_alert_silence is
'Until then nobody is told of what begins at the host, or at that page of it alone; in place of an earlier silence of the same. Ends of what was told before are told.';
