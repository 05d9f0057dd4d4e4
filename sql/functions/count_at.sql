create or replace function count_at(p_planes bytea[], p_rank integer) returns integer
language sql immutable parallel safe as $$
    select get_byte(p_planes[1], p_rank - 1)
           + case when p_rank <= length(p_planes[2]) then get_byte(p_planes[2], p_rank - 1) << 8 else 0 end
           + case when p_rank <= length(p_planes[3]) then get_byte(p_planes[3], p_rank - 1) << 16 else 0 end
           + case when p_rank <= length(p_planes[4]) then get_byte(p_planes[4], p_rank - 1) << 24 else 0 end
$$;
comment on function count_at is 'One of the counts that pack_counts packed, from 1; null where p_rank is.';
