create or replace function first_seen(p_page integer) returns timestamptz
language sql stable as $$
    select case when p_page = 0 then '-infinity' else coalesce((select min(since) from titles where page_id = p_page), 'infinity') end
$$;
comment on function first_seen is 'Since when there is this page; the whole site was always there.';
