create or replace function claim_deliveries(p_lease_ms integer, p_limit integer)
returns table (delivery_id bigint, message_id text, created_at bigint, attempts integer, is_test boolean, is_held boolean, lease text,
               name text, kind text, sealed_address bytea, sealed_secret bytea, sealed_old_secret bytea)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    c       channels;
    o       outbox;
    at      constant timestamptz := clock_timestamp();
    claimed integer := 0;
    longest constant interval := interval '25 h'; -- OUTBOX_KEEP_MS, which Retry-After may ask for, and some more
begin
    for c in
        select * from channels ch
        where ch.is_on and (ch.lease is null or ch.lease_until not between at and at + p_lease_ms * interval '1 ms')
          and exists (select from (select * from outbox h where h.channel_id = ch.channel_id and h.state = 'waiting' order by h.delivery_id limit 1) h
                      where h.next_try_at not between at and at + longest or h.created_at > at)
        order by ch.lease_until nulls first for no key update skip locked
    loop
        exit when claimed = p_limit;
        update outbox h set state = 'given_up', done_at = at, said = coalesce(h.said, 'could not be delivered for 24 hours')
        where h.channel_id = c.channel_id and h.state = 'waiting' and h.created_at < at - interval '24 hours';
        -- Looked for anew: somebody may have delivered it between the look at the channel and its lock.
        select * into o from outbox h where h.channel_id = c.channel_id and h.state = 'waiting' order by h.delivery_id limit 1;
        -- A message of a time to come was made before the clock was set back, as was a time to try again that is too far: it means nothing.
        continue when not found or (o.next_try_at between at and at + longest and o.created_at <= at);
        claimed := claimed + 1;
        lease := gen_random_uuid();
        update channels ch set lease = claim_deliveries.lease::uuid, lease_until = at + p_lease_ms * interval '1 ms' where ch.channel_id = c.channel_id;
        o.created_at := least(o.created_at, at);
        update outbox h set attempts = h.attempts + 1, created_at = o.created_at where h.delivery_id = o.delivery_id;
        delivery_id := o.delivery_id;
        message_id := o.message_id;
        created_at := (extract(epoch from o.created_at) * 1000000)::bigint;
        attempts := o.attempts + 1;
        is_test := o.is_test;
        is_held := o.is_held;
        name := c.name;
        kind := c.kind;
        sealed_address := c.sealed_address;
        sealed_secret := c.sealed_secret;
        sealed_old_secret := case when c.old_secret_until > at then c.sealed_old_secret end;
        return next;
    end loop;
end $$;
comment on function claim_deliveries is
'The oldest waiting delivery of each channel, where it is due, at most p_limit, with a lease on the channel: until it ends nobody else delivers there, so that the order
holds and nothing is sent by two at once. finish_delivery() gives it back. The channel that has waited longest since its last one is first. Times in microseconds since 1970.';
