create or replace function remove_keys(p_host text) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    removed integer;
begin
    -- The lease row is locked first, as in claim_refresh and refuse_key.
    perform from refreshes where host = p_host for update;
    delete from key_checks where host = p_host and state <> 'refused';
    get diagnostics removed = row_count;
    delete from apikeys a where not exists (select from key_checks c where c.digest = a.digest and c.state <> 'refused');
    perform set_next_due(p_host);
    return removed;
end $$;
comment on function remove_keys is
'Takes the keys of a host away, and forgets the sealed ones that no other host uses. Returns how many it had. The host is not refreshed until
somebody asks with a key again.';
