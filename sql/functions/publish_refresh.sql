create or replace function publish_refresh(
    p_host text, p_token uuid, p_digest bytea, p_sealed bytea, p_taken_at timestamptz, p_ttl_ms integer, p_row_limit integer,
    p_text text, p_paths text[], p_titles text[], p_sections text[], p_visitors integer[], p_sources integer[],
    p_rate_limit integer, p_rate_remaining integer, p_refused_rows integer)
returns boolean
-- The plans below are made once a connection, perhaps while the tables are small, and must stay good when they have grown: each page is
-- looked up by its key. 1,000 new hosts took 35 s without this.
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    r           refreshes;
    h           hosts;
    last        timestamptz;
    ids         integer[];
    is_new      boolean; -- the list has a page that we have not seen before
    is_renamed  boolean;
    is_moved    boolean; -- a page is in other sections than before
    since       timestamptz; -- of the first list that cannot be believed
    ttl         constant interval := p_ttl_ms * interval '1 ms';
    at          constant timestamptz := clock_timestamp(); -- a call of it as an argument keeps a function from being inlined
begin
    select * into r from refreshes where host = p_host for update;
    select taken_at into last from cache where host = p_host;
    if r.token is distinct from p_token and last >= p_taken_at then
        return false;
    end if;

    select * into h from hosts where host = p_host;
    if not found then
        insert into hosts (host) values (p_host) on conflict (host) do update set host = excluded.host returning * into h;
    end if;
    if p_sealed is not null then
        insert into apikeys (digest, sealed) values (p_digest, p_sealed)
        on conflict (digest) do update set sealed = excluded.sealed;
    end if;
    -- Ten seconds are nothing beside the five minutes after which a key is checked again, and spare most refreshes this write.
    if not exists (select from key_checks k where k.host = p_host and k.digest = p_digest and k.state = 'accepted'
                   and k.checked_at between p_taken_at - interval '10 s' and p_taken_at) then
        insert into key_checks (host, digest, state, checked_at) values (p_host, p_digest, 'accepted', p_taken_at)
        on conflict (host, digest) do update set
            state = 'accepted', checked_at = p_taken_at, doubted_at = null, refusals = 0, refused_until = null;
    end if;
    update refreshes set
        is_accepted = true, failures = 0, next_try_at = null, refused_rows = refused_rows + p_refused_rows,
        token = case when token = p_token then null else token end,
        lease_until = case when token = p_token then null else lease_until end,
        next_due_at = case when left_alone(true, h.alert_every, h.asked_at, at) is null
            then greatest(next_poll(p_host, p_taken_at, poll_interval(h.poll_every, h.alert_every, h.asked_at, at)), p_taken_at + ttl) end
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

    since := suspect_since(p_host, p_taken_at, p_row_limit, ids, p_visitors);
    -- A site can lose its readers: ten minutes say that it is real, unless nobody at all is counted.
    if since <= p_taken_at - interval '10 minutes' and exists (select from unnest(p_visitors) v where v > 0) then
        perform believe_since(p_host, since, p_taken_at);
        since := null;
    end if;
    insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources, suspect_since)
    values (p_host, p_taken_at, p_row_limit, ids, pack_counts(p_visitors), pack_counts(p_sources), since)
    on conflict do nothing;

    insert into cache (host, taken_at, pages, rate_limit, rate_remaining)
    values (p_host, p_taken_at, p_text, p_rate_limit, p_rate_remaining)
    on conflict (host) do update set
        previous_at = cache.taken_at, previous_pages = cache.pages,
        taken_at = p_taken_at, pages = p_text, rate_limit = p_rate_limit, rate_remaining = p_rate_remaining;
    return true;
end $$;
comment on function publish_refresh is
'Chartbeat answered with a list: stores host, key (p_sealed, where it is new) and its state, snapshot and cache row, says when the host is
due next, and gives the lease back. Sections are joined by chr(31). True: a new snapshot; false: it came too late, or within the TTL. To
call it again with the same token and time changes nothing.';
