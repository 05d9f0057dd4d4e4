create or replace function hosts_changed() returns trigger
language plpgsql as $$
begin
    perform set_next_due(new.host);
    return null;
end $$;
comment on function hosts_changed is 'How often a host is due depends on its row in hosts, which people change with psql too.';

create or replace trigger hosts_changed after update of poll_every, alert_every, asked_at on hosts for each row execute function hosts_changed();
