create view storage_use as
select case i.inhparent::regclass::text when 'snapshots' then 'raw' else i.inhparent::regclass::text end as level,
       b.bounds[1]::timestamptz::date as day, coalesce(b.bounds[2]::timestamptz::date - b.bounds[1]::timestamptz::date, 0) as days,
       greatest(coalesce(s.n_live_tup, 0), c.reltuples::bigint, 0) as rows, pg_total_relation_size(c.oid) as bytes
from pg_inherits i join pg_class c on c.oid = i.inhrelid left join pg_stat_user_tables s on s.relid = c.oid
cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)')) b (bounds)
where i.inhparent in ('snapshots'::regclass, 'minutes'::regclass, 'quarters'::regclass)
order by 1, 2;
comment on view   storage_use is
'What the history takes on disk, indexes included: a row for each level (raw, minutes, quarters) and partition.';
comment on column storage_use.level is 'raw: snapshots; minutes: one-minute means; quarters: roll-ups of 15 minutes.';
comment on column storage_use.day is 'First day (UTC) of the partition; null: the default partition.';
comment on column storage_use.days is 'Days in it: 1, or a month of roll-ups; 0: the default partition.';
comment on column storage_use.rows is 'Rows, as PostgreSQL''s statistics have it.';
comment on column storage_use.bytes is 'Bytes on disk.';
