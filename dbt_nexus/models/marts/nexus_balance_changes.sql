{{ config(enabled=dbt_nexus.is_loaded('transactions')) }}

with mutations as (
    select created_on as day, customer_code, 'crypto' as kind, crypto_code as code, balance_mutation_crypto as change
    from {{ ref('stg_nexus__transactions') }}
    where {{ dbt_nexus.is_one_of('status', dbt_nexus.statuses('transactions', 'succeeded')) }}
        and balance_mutation_crypto is not null
    union all
    select created_on as day, customer_code, 'fiat' as kind, currency_code as code, balance_mutation_fiat as change
    from {{ ref('stg_nexus__transactions') }}
    where {{ dbt_nexus.is_one_of('status', dbt_nexus.statuses('transactions', 'succeeded')) }}
        and balance_mutation_fiat is not null
), daily as (
    select day, customer_code, kind, code, count(*) as transactions, {{ dbt_nexus.sum('change', 24) }} as change
    from mutations
    group by 1, 2, 3, 4
)
select
    day,
    customer_code,
    kind,
    code,
    transactions,
    change,
    {{ dbt_nexus.sum('change', 24, 'over (partition by customer_code, kind, code order by day)') }} as balance,
    lead(day) over (partition by customer_code, kind, code order by day) as until_day
from daily
