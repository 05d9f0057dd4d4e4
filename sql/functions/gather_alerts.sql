create or replace function gather_alerts(p_at timestamptz default clock_timestamp()) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    c          record;
    next_host  text;
    has_held   boolean;
    has_bound  boolean;
    made       bigint;
    messages   integer := 0; -- in all
    left_      integer;      -- messages that the channel may still get
    window_    constant interval := interval '30 s';
    longest    constant interval := interval '25 h'; -- no quiet hours last longer, by whatever clocks
begin
    -- A lock that lets queue_alerts() refer to the channel meanwhile. In any order, since a storm may leave some for the next call.
    for c in
        select channel_id from channels ch
        where is_on and exists (select from outbox_events o where o.channel_id = ch.channel_id and o.delivery_id is null
                                and (o.due_at <= p_at or o.found_at > p_at or o.due_at > p_at + longest))
        order by random() for no key update skip locked
    loop
        exit when messages >= 200;
        -- Since the clock was set back, these times mean nothing.
        update outbox_events o set due_at = p_at, found_at = least(o.found_at, p_at)
        where o.channel_id = c.channel_id and o.delivery_id is null and (o.found_at > p_at or o.due_at > p_at + longest);
        delete from outbox_events o
        where o.channel_id = c.channel_id and o.delivery_id is null and o.due_at <= p_at
          and not exists (select from channel_rules r where r.rule_id = any (o.rule_ids));
        select bool_or(at_most_per_hour is not null) into has_bound from channel_rules where channel_id = c.channel_id;
        left_ := 10;
        while left_ > 0 loop
            -- Each message may be the last that a rule allows in this hour, so what is held back is decided anew.
            if left_ = 10 or has_bound then
                update outbox_events o set due_at = r.held_until, is_held = true
                from (select distinct rule_ids, host from outbox_events where channel_id = c.channel_id and delivery_id is null and due_at <= p_at) i
                cross join lateral open_rule(i.rule_ids, i.host, p_at) r
                where o.channel_id = c.channel_id and o.delivery_id is null and o.due_at <= p_at and r.held_until > p_at
                  and o.rule_ids = i.rule_ids and o.host = i.host;
            end if;
            update outbox_events o set due_at = w.last + window_
            from (select i.host, max(m.created_at) as last from outbox m join outbox_events i using (delivery_id)
                  where m.channel_id = c.channel_id and m.created_at > p_at - window_ and m.created_at <= p_at group by i.host) w
            where o.channel_id = c.channel_id and o.delivery_id is null and o.due_at <= p_at and not o.is_held and o.host = w.host;
            select host, is_held into next_host, has_held from outbox_events
            where channel_id = c.channel_id and delivery_id is null and due_at <= p_at order by is_held desc, item_id limit 1;
            exit when not found;
            insert into outbox (channel_id, is_held, created_at, next_try_at) values (c.channel_id, has_held, p_at, p_at) returning delivery_id into made;
            with told as (
                update outbox_events o set delivery_id = made
                from (select i.item_id, sum(i.bytes) over (order by i.item_id) as bytes from (
                          -- In a webhook's body a path stands escaped, and twice in an address: at most 6 and 3 bytes for each of its own.
                          select item_id, 1500 + 12 * coalesce(octet_length(path), 0) + 6 * coalesce(octet_length(title), 0) as bytes from outbox_events
                          where channel_id = c.channel_id and delivery_id is null and due_at <= p_at and is_held = has_held and (has_held or host = next_host)
                          order by item_id limit 500) i) i
                where o.item_id = i.item_id and i.bytes <= 1000000
                returning o.rule_ids, o.host)
            update outbox set rule_ids = (
                select coalesce(array_agg(distinct r.rule_id), '{}')
                from (select distinct rule_ids, host from told) t cross join lateral open_rule(t.rule_ids, t.host, p_at) r)
            where delivery_id = made;
            messages := messages + 1;
            left_ := left_ - 1;
            if has_held then
                update outbox_events set due_at = p_at + window_
                where channel_id = c.channel_id and delivery_id is null and due_at <= p_at and is_held;
            end if;
        end loop;
    end loop;
    return messages;
end $$;
comment on function gather_alerts is
'Makes messages of what is to be told, and returns how many. A first event at a host is a message at once; what happens there within 30 s after it waits for the end of
these and is one message. What quiet hours or a bound by the hour hold back is one message of all hosts when they end.
A message has at most 500 events, and no more than fit ALERT_BODY_MAX_BYTES. One call makes at most 10 messages for a channel, some 200 in all: the next call goes on.';
