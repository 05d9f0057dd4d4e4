create or replace function forget_deliveries() returns integer
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    with gone as (delete from outbox where state <> 'waiting' and done_at < clock_timestamp() - interval '30 days' returning 1)
    select count(*)::integer from gone
$$;
comment on function forget_deliveries is 'Deletes what was done with 30 days ago.';
