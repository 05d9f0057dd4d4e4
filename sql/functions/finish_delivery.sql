create or replace function finish_delivery(p_delivery_id bigint, p_lease text, p_outcome text, p_wait_ms integer, p_http_status integer, p_said text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    at constant timestamptz := clock_timestamp();
begin
    update channels c set
        lease = null, lease_until = at,
        is_on = c.is_on and p_outcome <> 'off', off_reason = case when p_outcome = 'off' then p_said else c.off_reason end
    from outbox o where o.delivery_id = p_delivery_id and c.channel_id = o.channel_id and c.lease = p_lease::uuid;
    if not found then
        return false;
    end if;
    update outbox set
        state = case p_outcome when 'delivered' then 'delivered' when 'retry' then 'waiting' when 'given_up' then 'given_up' else 'refused' end::delivery_state,
        done_at = case when p_outcome <> 'retry' then at end,
        next_try_at = case when p_outcome = 'retry' then at + p_wait_ms * interval '1 ms' else next_try_at end,
        http_status = p_http_status, said = p_said
    where delivery_id = p_delivery_id;
    return true;
end $$;
comment on function finish_delivery is
'How an attempt ended: delivered; retry, after p_wait_ms; refused, and not tried again; off: refused, and the channel is off from now on; given_up. False, and nothing is
changed: the lease was lost meanwhile.';
