create or replace function page_slots(p_host text, p_page integer, p_from timestamptz, p_to timestamptz)
returns table (slot timestamptz, minutes integer, listed integer, sum integer, cutoff_sum integer, min integer, max integer,
               first integer, first_at timestamptz, last integer, last_at timestamptz, rise integer, fall integer)
language sql stable as $$
    select q.slot, q.minutes, coalesce(q.listed[n], 0), coalesce(q.sum[n], 0),
           case when n is not null then q.cutoff_sum[n] when q.page_ids[1] = 0 then q.cutoff_sum[1] end, q.min[n], q.max[n],
           q.first[n], q.slot + q.first_at[n] * interval '1 minute', q.last[n], q.slot + q.last_at[n] * interval '1 minute',
           coalesce(q.rise[n], 0), coalesce(q.fall[n], 0)
    from quarters q cross join lateral (select array_position(q.page_ids, p_page) offset 0) p (n)
    where q.host = p_host and q.slot >= p_from and q.slot < p_to and (p_page <> 0 or q.page_ids[1] = 0)
$$;
comment on function page_slots is
'The roll-ups of 15 minutes from p_from (included) to p_to, of one page or of the site (0), a page that was not listed too. Hundredths of
a visitor.';
