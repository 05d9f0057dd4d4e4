create or replace function page_number(p_host text, p_path text) returns integer
language sql stable as $$
    select case when p_path is null then 0 else coalesce((select page_id from pages where host = p_host and path = p_path), -1) end
$$;
comment on function page_number is 'The number of a page; 0 for the whole site (no path), -1 for a page that was never seen.';
