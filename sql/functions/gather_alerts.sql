create or replace function gather_alerts(p_at timestamptz default clock_timestamp()) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    c          record;
    next_host  text;
    last       timestamptz; -- message of this host to this channel
    has_held   boolean;
    made       bigint;
    messages   integer := 0;
    window_    constant interval := interval '30 s';
    longest    constant interval := interval '25 h'; -- no quiet hours last longer, by whatever clocks
begin
    -- A lock that lets queue_alerts() refer to the channel meanwhile.
    for c in
        select channel_id from channels ch
        where is_on and exists (select from outbox_events o where o.channel_id = ch.channel_id and o.delivery_id is null
                                and (o.due_at <= p_at or o.found_at > p_at or o.due_at > p_at + longest))
        for no key update skip locked
    loop
        -- Since the clock was set back, these times mean nothing.
        update outbox_events o set due_at = p_at, found_at = least(o.found_at, p_at)
        where o.channel_id = c.channel_id and o.delivery_id is null and (o.found_at > p_at or o.due_at > p_at + longest);
        loop
            -- Each message may be the last that a rule allows in this hour, so what is held back is decided anew.
            update outbox_events o set due_at = r.held_until, is_held = true
            from outbox_events i cross join lateral open_rule(i.rule_ids, i.host, p_at) r
            where i.channel_id = c.channel_id and i.delivery_id is null and i.due_at <= p_at and r.held_until > p_at and o.item_id = i.item_id;
            delete from outbox_events o
            where o.channel_id = c.channel_id and o.delivery_id is null and o.due_at <= p_at
              and not exists (select from channel_rules r where r.rule_id = any (o.rule_ids));
            select host, bool_or(is_held) over () into next_host, has_held from outbox_events
            where channel_id = c.channel_id and delivery_id is null and due_at <= p_at order by item_id limit 1;
            exit when not found;
            if not has_held then
                select max(o.created_at) into last from outbox o
                where o.channel_id = c.channel_id and o.created_at > p_at - window_ and o.created_at <= p_at
                  and exists (select from outbox_events i where i.delivery_id = o.delivery_id and i.host = next_host);
                if last is not null then
                    update outbox_events set due_at = last + window_
                    where channel_id = c.channel_id and delivery_id is null and due_at <= p_at and host = next_host;
                    continue;
                end if;
            end if;
            insert into outbox (channel_id, is_held, created_at, next_try_at) values (c.channel_id, has_held, p_at, p_at) returning delivery_id into made;
            with told as (
                update outbox_events o set delivery_id = made
                from (select i.item_id, sum(i.bytes) over (order by i.item_id) as bytes from (
                          -- In a webhook's body a path stands escaped, and twice in an address: at most 6 and 3 bytes for each of its own.
                          select item_id, 1500 + 12 * coalesce(octet_length(path), 0) + 6 * coalesce(octet_length(title), 0) as bytes from outbox_events
                          where channel_id = c.channel_id and delivery_id is null and due_at <= p_at and (has_held or host = next_host)
                          order by item_id limit 500) i) i
                where o.item_id = i.item_id and i.bytes <= 1000000
                returning o.rule_ids, o.host)
            update outbox set rule_ids = (
                select coalesce(array_agg(distinct r.rule_id), '{}') from told t cross join lateral open_rule(t.rule_ids, t.host, p_at) r)
            where delivery_id = made;
            messages := messages + 1;
            if has_held then
                update outbox_events set due_at = p_at + window_
                where channel_id = c.channel_id and delivery_id is null and due_at <= p_at;
            end if;
        end loop;
    end loop;
    return messages;
end $$;
comment on function gather_alerts is
'Makes messages of what is to be told, and returns how many. A first event at a host is a message at once; what happens there within 30 s after it waits for the end of
these and is one message. What quiet hours or a bound by the hour hold back is one message of all hosts when they end.
A message has at most 500 events, and no more than fit ALERT_BODY_MAX_BYTES.';
