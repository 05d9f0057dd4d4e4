create or replace function local_text(p_at timestamptz, p_time_zone text) returns text
language sql immutable as $$
    select to_char(p_at at time zone p_time_zone, 'YYYY-MM-DD"T"HH24:MI:SS') || case when m < 0 then '-' else '+' end
           || lpad((abs(m) / 60)::text, 2, '0') || ':' || lpad((abs(m) % 60)::text, 2, '0')
    from (select (extract(epoch from (p_at at time zone p_time_zone) - (p_at at time zone 'UTC')) / 60)::integer) o (m)
$$;
comment on function local_text is 'A time as in RFC 3339, by the clocks of a time zone.';
