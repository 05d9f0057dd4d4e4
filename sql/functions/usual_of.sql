create or replace function usual_of(p_values numeric[], p_days date[], p_day date)
returns table (usual numeric, low numeric, high numeric, basis text, n integer)
language sql immutable as $$
    with given as (
        select d as day, avg(v) as value from unnest(p_values, p_days) g (v, d) where v is not null group by d
    ), choices as (
        select 1 as place, 'weekday' as basis, 4 as least, value from given where extract(isodow from day) = extract(isodow from p_day)
        union all
        select 2, case when extract(isodow from p_day) < 6 then 'weekdays' else 'weekend' end, 5, value from given
        where (extract(isodow from day) < 6) = (extract(isodow from p_day) < 6)
    )
    select round(percentile_cont(0.5) within group (order by value)::numeric, 2),
        round(percentile_cont(0.25) within group (order by value)::numeric, 2),
           round(percentile_cont(0.75) within group (order by value)::numeric, 2), min(basis), count(*)::integer
    from choices group by place having count(*) >= min(least) order by place limit 1
$$;
comment on function usual_of is
'The quartiles of the values on days of the same weekday (from 4 values on), else on weekdays or on weekend days (from 5), and which it
was: basis weekday, weekdays or weekend. No row: too few. Values of one day are averaged.';
