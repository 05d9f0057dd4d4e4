create or replace function zone_of(p_host text, p_time_zone text) returns text
language sql stable as $$
    select case when p_time_zone is null then (select time_zone from hosts where host = p_host)
                when is_time_zone(p_time_zone) then p_time_zone end
$$;
comment on function zone_of is 'The time zone that is meant: the given one, else the host''s. Null: there is none of that name.';
