create or replace function next_poll(p_host text, p_taken_at timestamptz, p_every interval) returns timestamptz
language sql immutable as $$
    select case when p_taken_at is null then '-infinity'::timestamptz
                else date_bin(p_every, p_taken_at, phase) + p_every end
    from (select timestamptz 'epoch' + mod(hashtext(p_host)::bigint + 2147483648,
        (extract(epoch from p_every) * 1000)::bigint) * interval '1 ms') o (phase)
$$;
comment on function next_poll is
'When a host is due: at the next of its own ticks after its newest snapshot. Ticks of different hosts are spread over the interval, and
one minute of a host never goes without a snapshot because the round before came late.';
