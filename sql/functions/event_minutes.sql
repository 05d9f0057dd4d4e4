create or replace function event_minutes(p_host text, p_page integer, p_at timestamptz) returns integer[]
language sql stable as $$
    select array_agg(coalesce(round(s.visitors / 100.0)::integer, -1) order by m.minute)
    from generate_series(date_trunc('minute', p_at) - interval '29 minutes', p_at, interval '1 minute') m (minute)
    left join page_samples(p_host, p_page, date_trunc('minute', p_at) - interval '29 minutes', p_at + interval '1 us') s using (minute)
$$;
comment on function event_minutes is 'Visitors of a page (0: the site) in the 30 minutes up to p_at, oldest first; -1: not listed, or not known.';
