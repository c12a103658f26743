{{ config(enabled=dbt_nexus.is_loaded('orders')) }}

select
    created_on as day,
    status,
    action,
    exchange_code,
    currency_code,
    crypto_code,
    count(*) as orders,
    {{ dbt_nexus.sum('amount', 20) }} as amount,
    {{ dbt_nexus.sum('executed_value', 20) }} as executed_value,
    {{ dbt_nexus.sum('executed_amount', 24) }} as executed_amount,
    {{ dbt_nexus.sum('executed_fee', 20) }} as executed_fee
from {{ ref('stg_nexus__orders') }}
group by 1, 2, 3, 4, 5, 6
