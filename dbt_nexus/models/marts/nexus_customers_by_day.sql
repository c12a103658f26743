{{ config(enabled=dbt_nexus.is_loaded('customers') or dbt_nexus.is_loaded('customer_compliance_history')) }}

with changes as (
    select cast(valid_from as date) as day, status, risk_qualification, 1 as change
    from {{ ref('nexus_customer_states') }}
    union all
    select cast(valid_until as date) as day, status, risk_qualification, -1 as change
    from {{ ref('nexus_customer_states') }}
    where valid_until is not null
), daily as (
    select day, status, risk_qualification, sum(change) as change
    from changes
    group by 1, 2, 3
), groups as (
    select status, risk_qualification, min(day) as first_day
    from daily
    group by 1, 2
), days as (
    select
        status,
        risk_qualification,
        {{ dbt_nexus.days('first_day', 'cast(' ~ dbt_nexus.as_of() ~ ' as date)') }} as day
    from groups
), filled as (
    select days.day, days.status, days.risk_qualification, coalesce(daily.change, 0) as change
    from days
    left join daily
        on daily.day = days.day
        and daily.status is not distinct from days.status
        and daily.risk_qualification is not distinct from days.risk_qualification
)
select
    day,
    status,
    risk_qualification,
    cast(sum(change) over (partition by status, risk_qualification order by day) as bigint) as customers
from filled
