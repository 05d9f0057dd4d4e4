create or replace function host_events(p_host text, p_since timestamptz, p_until timestamptz, p_kinds text[], p_is_open boolean, p_limit integer)
returns setof events
language sql stable as $$
    select * from events e
    where e.host = p_host and e.began_at >= p_since and e.began_at < p_until and (p_kinds is null or e.kind::text = any (p_kinds))
      and (p_is_open is null or p_is_open = (e.ended_at is null))
    order by e.began_at desc, e.event_id desc limit p_limit
$$;
comment on function host_events is 'The events of a host that began from p_since to before p_until, newest first: those of some kinds, those that are open, or all.';
