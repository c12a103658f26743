{{ config(enabled=dbt_nexus.is_loaded('transactions') or dbt_nexus.is_loaded('broker_transactions')) }}

select
    created_on as day,
    currency_code,
    payment_method_code,
    count(*) as transactions,
    {{ dbt_nexus.sum('fiat_value', 20) }} as volume_fiat,
    {{ dbt_nexus.sum('partner_fee_fiat', 20) }} as partner_fee_fiat,
    {{ dbt_nexus.sum('bank_fee_fiat', 20) }} as bank_fee_fiat,
    {{ dbt_nexus.sum('network_fee_fiat', 20) }} as network_fee_fiat,
    {{ dbt_nexus.sum('actual_network_fee_fiat', 20) }} as actual_network_fee_fiat,
    {{ dbt_nexus.sum('network_fee_fiat - actual_network_fee_fiat', 20) }} as network_fee_margin_fiat
from {{ ref('nexus_completed_transactions') }}
group by 1, 2, 3
