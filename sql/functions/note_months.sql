create or replace function note_months(p_host text, p_slot timestamptz) returns void
language sql as $$
    insert into page_months
    select p.page_id, m.month
    from quarters q
    cross join lateral (select date_trunc('month', p_slot at time zone 'UTC')::date) m (month)
    cross join lateral unnest(q.page_ids) n (page_id)
    join pages p on p.page_id = n.page_id
    where q.host = p_host and q.slot = p_slot
      and not exists (select from page_months o where o.page_id = p.page_id and o.month >= m.month)
    on conflict (page_id) do update set month = excluded.month
$$;
comment on function note_months is 'Notes for the pages of a roll-up that they were seen in its month.';
