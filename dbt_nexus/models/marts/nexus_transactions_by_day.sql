{{ config(enabled=dbt_nexus.is_loaded('transactions')) }}

select
    created_on as day,
    status,
    type,
    direction,
    currency_code,
    crypto_code,
    payment_method_code,
    count(*) as transactions,
    {{ dbt_nexus.sum('requested_fiat_value', 20) }} as requested_fiat_value,
    {{ dbt_nexus.sum('executed_fiat_value', 20) }} as executed_fiat_value,
    {{ dbt_nexus.sum('executed_crypto_amount', 24) }} as executed_crypto_amount,
    {{ dbt_nexus.sum('partner_fee_fiat', 20) }} as partner_fee_fiat,
    {{ dbt_nexus.sum('bank_fee_fiat', 20) }} as bank_fee_fiat,
    {{ dbt_nexus.sum('network_fee_fiat', 20) }} as network_fee_fiat,
    {{ dbt_nexus.sum('actual_network_fee_fiat', 20) }} as actual_network_fee_fiat,
    {{ dbt_nexus.sum('network_fee_fiat - actual_network_fee_fiat', 20) }} as network_fee_margin_fiat,
    {{ dbt_nexus.sum('swap_margin_amount_crypto', 24) }} as swap_margin_crypto
from {{ ref('stg_nexus__transactions') }}
group by 1, 2, 3, 4, 5, 6, 7
