-- Raw snapshots take less room: the counts of a snapshot in byte planes.
--
-- A page of the table is 8 kB, and TOAST compresses no row below 2 kB, so what counts is how many rows fit a page. Most counts fit a byte, and
-- the list is by visitors descending, so that the larger ones stand at the front: their higher bytes are planes of their own, cut behind the last
-- byte that is not zero. A snapshot of 100 pages: 1,373 bytes before, five on a page; see tests/bench/history for what it is now.

create function pack_counts(p_counts integer[]) returns bytea[]
language sql immutable strict parallel safe as $$
    select array_agg(case height when 0 then plane else rtrim(plane, '\x00') end order by height)
    from generate_series(0, (select case when max(n) >= 1 << 24 then 3 when max(n) >= 1 << 16 then 2 when max(n) >= 256 then 1 else 0 end
                             from unnest(p_counts) n)) height
    cross join lateral (select coalesce(string_agg(substr(int4send(n), 4 - height, 1), '' order by rank), '') as plane
                        from unnest(p_counts) with ordinality c (n, rank)) p
$$;
comment on function pack_counts is
'Counts, none below 0, as byte planes: first the lowest byte of each, then the higher ones, each plane without the zero bytes at its end, and no empty
plane at the end.';

create function unpack_counts(p_planes bytea[]) returns integer[]
language sql immutable strict parallel safe as $$
    select coalesce(array_agg(
               get_byte(p_planes[1], i)
               + case when i < length(p_planes[2]) then get_byte(p_planes[2], i) << 8 else 0 end
               + case when i < length(p_planes[3]) then get_byte(p_planes[3], i) << 16 else 0 end
               + case when i < length(p_planes[4]) then get_byte(p_planes[4], i) << 24 else 0 end order by i), '{}')
    from generate_series(0, length(p_planes[1]) - 1) i
$$;
comment on function unpack_counts is 'The counts that pack_counts packed.';

drop view increasing_now;
drop view snapshot_pages;
alter table snapshots
    drop constraint snapshots_check,
    alter column sources drop default,
    alter column visitors type bytea[] using pack_counts(visitors),
    alter column sources type bytea[] using pack_counts(sources);
alter table snapshots
    alter column visitors set storage main, alter column sources set storage main,
    alter column sources set default pack_counts('{}'),
    add check (length(visitors[1]) = cardinality(page_ids));
comment on column snapshots.visitors is 'Their concurrents, in the same order, packed: unpack_counts makes numbers of them.';
comment on column snapshots.sources is 'Where they came from, five numbers a page: search, social, links, direct, internal; none where Chartbeat says nothing of it. Packed.';

create or replace function publish_refill(
    p_host text, p_token uuid, p_digest bytea, p_sealed bytea, p_taken_at timestamptz, p_ttl_ms integer, p_row_limit integer,
    p_text text, p_paths text[], p_titles text[], p_sections text[], p_visitors integer[], p_sources integer[],
    p_rate_limit integer, p_rate_remaining integer, p_refused_rows integer)
returns boolean
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    r           refills;
    last        timestamptz;
    ids         integer[];
    is_new      boolean; -- a page that we have not seen before
    is_renamed  boolean;
    is_moved    boolean; -- to other sections
    ttl         constant interval := p_ttl_ms * interval '1 ms';
begin
    select * into r from refills where host = p_host for update;
    select taken_at into last from cache where host = p_host;
    if r.token is distinct from p_token and last >= p_taken_at then
        return false;
    end if;

    insert into hosts (host) values (p_host) on conflict do nothing;
    if p_sealed is not null then
        insert into apikeys (digest, sealed) values (p_digest, p_sealed)
        on conflict (digest) do update set sealed = excluded.sealed;
    end if;
    insert into key_checks (host, digest, accepted, checked_at) values (p_host, p_digest, true, p_taken_at)
    on conflict (host, digest) do update set accepted = true, checked_at = p_taken_at, refusals = 0, refused_until = null;
    update refills set
        known = true, failures = 0, next_try_at = null, refused_rows = refused_rows + p_refused_rows,
        token = case when token = p_token then null else token end,
        lease_until = case when token = p_token then null else lease_until end
    where host = p_host;

    -- The check of a key within the TTL brings no snapshot: they would stand too close for a difference.
    if last between p_taken_at - ttl and p_taken_at + ttl then
        return false;
    end if;

    -- Most lists hold nothing but known pages with known titles: one look at each then tells all.
    select coalesce(array_agg(p.page_id order by n.rank), '{}'), coalesce(bool_or(p.page_id is null), false),
           coalesce(bool_or(p.title <> n.title), false), coalesce(bool_or(p.sections <> string_to_array(n.sections, chr(31))), false)
    into ids, is_new, is_renamed, is_moved
    from unnest(p_paths, p_titles, p_sections) with ordinality n (path, title, sections, rank)
    left join lateral (select page_id, title, sections from pages where host = p_host and path = n.path offset 0) p on true;

    if is_new then
        with added as (
            insert into pages (host, path, title, sections)
            select p_host, n.path, n.title, string_to_array(n.sections, chr(31))
            from unnest(p_paths, p_titles, p_sections, ids) n (path, title, sections, page_id)
            where n.page_id is null
            on conflict do nothing
            returning page_id, title
        )
        insert into titles (page_id, since, title) select page_id, p_taken_at, title from added on conflict do nothing;
        select array_agg(p.page_id order by n.rank) into ids
        from unnest(p_paths) with ordinality n (path, rank)
        cross join lateral (select page_id from pages where host = p_host and path = n.path offset 0) p;
    end if;
    if is_renamed then
        with renamed as (
            update pages p set title = n.title from unnest(ids, p_titles) n (page_id, title)
            where p.page_id = n.page_id and p.title <> n.title
            returning p.page_id, p.title
        )
        insert into titles (page_id, since, title) select page_id, p_taken_at, title from renamed on conflict do nothing;
    end if;
    if is_moved then
        update pages p set sections = string_to_array(n.sections, chr(31)) from unnest(ids, p_sections) n (page_id, sections)
        where p.page_id = n.page_id and p.sections <> string_to_array(n.sections, chr(31));
    end if;

    insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources)
    values (p_host, p_taken_at, p_row_limit, ids, pack_counts(p_visitors), pack_counts(p_sources))
    on conflict do nothing;

    insert into cache (host, taken_at, pages, rate_limit, rate_remaining)
    values (p_host, p_taken_at, p_text, p_rate_limit, p_rate_remaining)
    on conflict (host) do update set
        previous_at = cache.taken_at, previous_pages = cache.pages,
        taken_at = p_taken_at, pages = p_text, rate_limit = p_rate_limit, rate_remaining = p_rate_remaining;
    return true;
end $$;

create or replace function minute_means(p_host text, p_from timestamptz, p_to timestamptz)
returns table (minute timestamptz, samples smallint, cutoff integer, page_id integer, visitors integer)
language sql stable as $$
    with taken as (
        select date_trunc('minute', s.taken_at) as minute, s.page_ids, n.visitors,
               case when cardinality(s.page_ids) >= s.row_limit then (select min(v) from unnest(n.visitors) v) else 0 end as cutoff
        from snapshots s cross join lateral (select unpack_counts(s.visitors) offset 0) n (visitors)
        where s.host = p_host and s.taken_at >= p_from and s.taken_at < p_to
    ), covered as (
        select minute, count(*) as samples, sum(cutoff) as cutoff_sum from taken group by minute
    ), listed as (
        select t.minute, n.page_id, sum(n.visitors) as visitor_sum, sum(t.cutoff) as cutoff_sum
        from taken t cross join lateral unnest(t.page_ids, t.visitors) n (page_id, visitors)
        group by t.minute, n.page_id
    )
    select c.minute, c.samples::smallint, round(100.0 * c.cutoff_sum / c.samples)::integer, l.page_id,
           least(round(100.0 * (l.visitor_sum + c.cutoff_sum - l.cutoff_sum) / c.samples), 100000000)::integer
    from covered c left join listed l using (minute)
$$;

create view snapshot_pages as
select s.host, s.taken_at as time, n.rank::integer, p.path,
       coalesce((select l.title from titles l where l.page_id = n.page_id and l.since <= s.taken_at
                 order by l.since desc limit 1), p.title) as title,
       n.visitors
from snapshots s
cross join lateral unnest(s.page_ids, unpack_counts(s.visitors)) with ordinality n (page_id, visitors, rank)
join pages p on p.page_id = n.page_id;
comment on view   snapshot_pages is 'Every page of every snapshot, a row each. Name the host and a span of time: it grows fast.';
comment on column snapshot_pages.host is 'Host name.';
comment on column snapshot_pages.time is 'Time of the snapshot.';
comment on column snapshot_pages.rank is 'Place in the snapshot, 1 for the most visitors.';
comment on column snapshot_pages.path is 'Path of the page.';
comment on column snapshot_pages.title is 'Its title at that time.';
comment on column snapshot_pages.visitors is 'Its concurrents.';

create view increasing_now as
select c.host,
       row_number() over (partition by c.host
           order by n.visitors - b.visitors desc, n.visitors desc, n.path collate "C")::integer as rank,
       n.title, n.path, n.visitors, n.visitors - b.visitors as change
from cache c
join snapshot_pages n on n.host = c.host and n.time = c.taken_at
join snapshot_pages b on b.host = c.host and b.time = c.previous_at and b.path = n.path
where n.visitors > b.visitors
order by c.host, rank;
comment on view   increasing_now is 'What /api/v1.0/increasingconcurrents answers, for every host.';
comment on column increasing_now.host is 'Host name.';
comment on column increasing_now.rank is 'Place in the answer.';
comment on column increasing_now.title is 'Title of the page.';
comment on column increasing_now.path is 'Path of the page.';
comment on column increasing_now.visitors is 'Its concurrents in the newest snapshot.';
comment on column increasing_now.change is 'How many more that is than in the snapshot before.';

grant select on snapshot_pages, increasing_now to upbeat_app;
