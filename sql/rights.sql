-- All rights of the programs, and no others. Everything is revoked first, EXECUTE for everybody included, which PostgreSQL grants by default.
-- sql/tests/rights.sql compares the catalogue with what stands here.

do $$ declare one text; begin
    for one in
        select 'table ' || c.oid::regclass from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and pg_has_role(c.relowner, 'usage')
          and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
        union all
        select 'function ' || p.oid::regprocedure from pg_proc p
        where p.pronamespace = 'public'::regnamespace and pg_has_role(p.proowner, 'usage')
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    loop
        execute format('revoke all on %s from public, upbeat_worker, upbeat_fetch, upbeat_history, upbeat_alert, upbeat_token', one);
    end loop;
end $$;

-- Each program asks whether the database is migrated.
grant select on schema_repeatables to upbeat_worker; -- sql/migrate --check
grant select on schema_migrations to upbeat_worker, upbeat_fetch, upbeat_history, upbeat_alert, upbeat_token;

-- upbeat-fcgi, and upbeat-backtest: reads what answers are made of. It sees no sealed key and no token of a lease.
grant select on hosts, key_checks, cache, pages, titles, snapshots, minutes, quarters, events, access_tokens to upbeat_worker;
grant select (host, failures, last_error, last_error_at, next_try_at, next_due_at) on refreshes to upbeat_worker;
grant execute on function
    bound, count_at, first_seen, headline_changes, host_events, is_time_zone, key_hosts, left_alone, local_text, minute_means, minute_totals, page_history,
    page_hours, page_means, page_number, page_profile, page_samples, page_slots, page_sources, page_usual, pages_at, poll_interval, refusal_holds, service_metrics, sum_counts, trend_pages, trend_window,
    unpack_counts, usual_days, usual_of, utc_text, zone_of
to upbeat_worker;

-- upbeat-fetch: all that it writes goes through these functions, which run with the rights of their owner; only --reseal writes keys itself.
grant execute on function claim_refresh, publish_refresh, fail_refresh, refuse_key, asked, due_hosts, count_token to upbeat_fetch;
grant select, update (sealed) on apikeys to upbeat_fetch;
-- It looks at the row of a host while another fetcher has the lease.
grant select on cache, key_checks to upbeat_fetch;
grant select (host, failures, last_error, last_error_at, next_try_at, next_due_at, lease_until) on refreshes to upbeat_fetch;
grant execute on function bound, refusal_holds to upbeat_fetch;
-- --reseal seals what belongs to channels, too.
grant select (name, sealed_address, sealed_secret, sealed_old_secret), update (sealed_address, sealed_secret, sealed_old_secret) on channels to upbeat_fetch;

-- upbeat-history: the same way.
grant execute on function roll_up, maintain_history, forget_pages to upbeat_history;

-- upbeat-token: the same way, and reads what it shows.
grant execute on function add_token, revoke_token, rotate_token, remove_keys to upbeat_token;
grant select on tokens to upbeat_token;

-- upbeat-alert: reads snapshots, and writes what it finds in them through one function; delivers and keeps channels through the others.
grant select on hosts, cache, pages, titles, snapshots, quarters, events, event_progress to upbeat_alert;
grant select (host, failures) on refreshes to upbeat_alert;
grant execute on function
    event_hosts, event_records, event_samples, first_seen, is_time_zone, page_number, page_usual, record_events,
    unpack_counts, usual_days, usual_of, zone_of
to upbeat_alert;
grant select on alert_channels, alert_rules, alert_silences, deliveries to upbeat_alert;
grant execute on function
    add_alert_channel, remove_alert_channel, enable_alert_channel, rotate_alert_secret, test_alert_channel, add_alert_rule, remove_alert_rule, add_alert_silence,
    rule_matches, try_alert_rule, gather_alerts, claim_deliveries, finish_delivery, delivery_events, keep_alert_hosts, forget_deliveries
to upbeat_alert;
