create or replace function event_samples(p_host text, p_after timestamptz, p_until timestamptz)
returns table (taken_at bigint, row_limit integer, is_suspect boolean, page_id integer, visitors integer, search integer, social integer,
               links integer, direct integer, internal integer)
language sql stable as $$
    select (extract(epoch from s.taken_at) * 1000000)::bigint, s.row_limit, s.suspect_since is not null, n.page_id, n.visitors,
           s.five[5 * n.rank - 4], s.five[5 * n.rank - 3], s.five[5 * n.rank - 2], s.five[5 * n.rank - 1], s.five[5 * n.rank]
    from (select s.*, unpack_counts(s.sources) as five from snapshots s
          where s.host = p_host and s.taken_at > p_after and s.taken_at <= p_until order by s.taken_at offset 0) s
    left join lateral unnest(s.page_ids, unpack_counts(s.visitors)) with ordinality n (page_id, visitors, rank) on true
    order by s.taken_at, n.rank
$$;
comment on function event_samples is
'The snapshots of a host after p_after up to p_until, a row for each page by time and rank; one without a page where the list was empty. Visitors
by source are null where they are not known. Times in microseconds since 1970.';
