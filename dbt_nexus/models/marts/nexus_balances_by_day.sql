{{ config(enabled=dbt_nexus.is_loaded('transactions')) }}

with daily as (
    select day, kind, code, {{ dbt_nexus.sum('change', 24) }} as change
    from {{ ref('nexus_balance_changes') }}
    group by 1, 2, 3
), codes as (
    select kind, code, min(day) as first_day
    from daily
    group by 1, 2
), last_day as (
    select max(created_on) as last_day from {{ ref('stg_nexus__transactions') }}
), days as (
    select codes.kind, codes.code, {{ dbt_nexus.days('codes.first_day', 'last_day.last_day') }} as day
    from codes
    cross join last_day
), filled as (
    select days.day, days.kind, days.code, coalesce(daily.change, 0) as change
    from days
    left join daily
        on daily.day = days.day
        and daily.kind = days.kind
        and daily.code is not distinct from days.code
)
select
    day,
    kind,
    code,
    change,
    {{ dbt_nexus.sum('change', 24, 'over (partition by kind, code order by day)') }} as balance
from filled
