{{ config(enabled=dbt_nexus.is_loaded('broker_transactions')) }}

select
    created_on as day,
    status,
    type,
    currency_code,
    crypto_code,
    payment_method_code,
    is_settled,
    count(*) as transactions,
    {{ dbt_nexus.sum('trade_value', 20) }} as trade_value,
    {{ dbt_nexus.sum('payout', 20) }} as payout,
    {{ dbt_nexus.sum('bank_commission', 20) }} as bank_commission,
    {{ dbt_nexus.sum('partner_commission', 20) }} as partner_commission,
    {{ dbt_nexus.sum('network_commission', 20) }} as network_commission,
    {{ dbt_nexus.sum('crypto_traded', 24) }} as crypto_traded
from {{ ref('stg_nexus__broker_transactions') }}
group by 1, 2, 3, 4, 5, 6, 7
