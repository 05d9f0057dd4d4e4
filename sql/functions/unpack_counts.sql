create or replace function unpack_counts(p_planes bytea[]) returns integer[]
language sql immutable strict parallel safe as $$
    select coalesce(array_agg(
               get_byte(p_planes[1], i)
               + case when i < length(p_planes[2]) then get_byte(p_planes[2], i) << 8 else 0 end
               + case when i < length(p_planes[3]) then get_byte(p_planes[3], i) << 16 else 0 end
               + case when i < length(p_planes[4]) then get_byte(p_planes[4], i) << 24 else 0 end order by i), '{}')
    from generate_series(0, length(p_planes[1]) - 1) i
$$;
comment on function unpack_counts is 'The counts that pack_counts packed.';
