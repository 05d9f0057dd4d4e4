create or replace function is_time_zone(p_name text) returns boolean
language plpgsql immutable as $$
begin
    perform timestamptz 'epoch' at time zone p_name;
    -- PostgreSQL takes rules like FOO5BAR too, so names of such a form are listed one by one.
    return p_name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$'
        or p_name in ('CST6CDT', 'EST5EDT', 'MST7MDT', 'PST8PDT', 'GB-Eire', 'GMT+0', 'GMT-0', 'GMT0', 'NZ-CHAT', 'W-SU');
exception when invalid_parameter_value then
    return false;
end $$;
comment on function is_time_zone is
'Is this the name of an IANA time zone? By asking for one time in it: pg_timezone_names reads hundreds of files.';
