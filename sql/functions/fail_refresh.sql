create or replace function fail_refresh(p_host text, p_token uuid, p_error text, p_retry_after_ms integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    wait    interval;
    wait_ms integer;
begin
    select greatest(
               least(p_retry_after_ms * interval '1 ms', bound('longest Retry-After')),
               least(bound('longest back-off'), 2 ^ least(failures + 1, 6) * (0.75 + random() / 2) * interval '1 s'))
    into wait from refreshes where host = p_host;
    update refreshes set
        token = null, lease_until = null, failures = least(failures, 1000) + 1,
        last_error = p_error, last_error_at = clock_timestamp(),
        next_try_at = clock_timestamp() + wait,
        next_due_at = greatest(next_due_at, case when next_due_at is not null then clock_timestamp() + wait end)
    where host = p_host and token = p_token
    returning ceil(extract(epoch from next_try_at - clock_timestamp()) * 1000) into wait_ms;
    return coalesce(wait_ms, 0);
end $$;
comment on function fail_refresh is
'Chartbeat could not be asked, or said nothing of use: back-off of 2^failures seconds with jitter, or Retry-After, both bounded by bound().
Returns how long in ms; 0 where the lease was lost meanwhile, and then nothing is changed.';
