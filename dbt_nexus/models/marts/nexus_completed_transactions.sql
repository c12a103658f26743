{{ config(
    enabled=dbt_nexus.is_loaded('transactions') or dbt_nexus.is_loaded('broker_transactions'),
    materialized='view',
) }}

{%- set both = dbt_nexus.is_loaded('transactions') and dbt_nexus.is_loaded('broker_transactions') %}

{% if dbt_nexus.is_loaded('transactions') -%}
select
    transaction_code,
    linked_transaction_code,
    'transactions' as resource,
    created_at,
    created_on,
    cast(null as timestamp) as finished_at,
    type,
    direction,
    customer_code,
    account_code,
    currency_code,
    crypto_code,
    payment_method_code,
    executed_crypto_amount as crypto_amount,
    executed_fiat_value as fiat_value,
    partner_fee_fiat,
    bank_fee_fiat,
    network_fee_fiat,
    actual_network_fee_fiat,
    balance_mutation_crypto,
    destination_crypto_address,
    blockchain_transaction_id
from {{ ref('stg_nexus__transactions') }}
where {{ dbt_nexus.is_one_of('status', dbt_nexus.statuses('transactions', 'succeeded')) }}
{%- endif %}
{% if both %}
union all
{% endif %}
{%- if dbt_nexus.is_loaded('broker_transactions') %}
select
    transaction_code,
    cast(null as {{ dbt.type_string() }}) as linked_transaction_code,
    'broker_transactions' as resource,
    created_at,
    created_on,
    finished_at,
    case when type in ('BUY', 'SELL') then 'BROKER' || type else type end as type,
    cast(null as {{ dbt.type_string() }}) as direction,
    customer_code,
    account_code,
    currency_code,
    crypto_code,
    payment_method_code,
    coalesce(crypto_traded, crypto_amount) as crypto_amount,
    trade_value as fiat_value,
    partner_commission as partner_fee_fiat,
    bank_commission as bank_fee_fiat,
    network_commission as network_fee_fiat,
    cast(null as decimal(38, 20)) as actual_network_fee_fiat,
    cast(null as decimal(38, 24)) as balance_mutation_crypto,
    cast(null as {{ dbt.type_string() }}) as destination_crypto_address,
    coalesce(crypto_send_tx_id, crypto_receive_tx_id) as blockchain_transaction_id
from {{ ref('stg_nexus__broker_transactions') }}
where {{ dbt_nexus.is_one_of('status', dbt_nexus.statuses('broker_transactions', 'succeeded')) }}
    {%- if both %}
    and not exists (
        select 1
        from {{ ref('stg_nexus__transactions') }} as same
        where same.transaction_code = stg_nexus__broker_transactions.transaction_code
    )
    {%- endif %}
{%- endif %}
