{{ config(enabled=dbt_nexus.is_loaded('transactions') or dbt_nexus.is_loaded('broker_transactions')) }}

select
    age,
    currency_code,
    is_held,
    count(*) as payouts,
    {{ dbt_nexus.sum('fiat_amount', 20) }} as fiat_amount,
    min(created_at) as oldest_created_at
from {{ ref('nexus_open_payouts') }}
group by 1, 2, 3
