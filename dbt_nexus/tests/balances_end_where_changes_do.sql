-- The balance of the last day is the sum of all changes, for each crypto and currency, to the last digit.
{{ config(enabled=dbt_nexus.is_loaded('transactions')) }}

with changes as (
    select kind, code, {{ dbt_nexus.sum('change', 24) }} as total
    from {{ ref('nexus_balance_changes') }}
    group by 1, 2
), last_days as (
    select kind, code, balance, row_number() over (partition by kind, code order by day desc) as place
    from {{ ref('nexus_balances_by_day') }}
)
select changes.kind, changes.code, changes.total, last_days.balance
from changes
left join last_days
    on last_days.kind = changes.kind
    and last_days.code is not distinct from changes.code
    and last_days.place = 1
where last_days.balance is distinct from changes.total
