{{ config(enabled=dbt_nexus.is_loaded('customers')
    and (dbt_nexus.is_loaded('transactions') or dbt_nexus.is_loaded('broker_transactions'))) }}

with movements as (
    select
        *,
        case
            when type in ('BUY', 'BROKERBUY', 'RECEIVEIN') then 'IN'
            when type in ('SELL', 'BROKERSELL', 'SENDOUT') then 'OUT'
            when direction = 'DESTINATION' then 'IN'
            when direction = 'SOURCE' then 'OUT'
            when balance_mutation_crypto > 0 then 'IN'
            when balance_mutation_crypto < 0 then 'OUT'
        end as in_or_out
    from {{ ref('nexus_completed_transactions') }}
    where coalesce(type, '') <> 'SENDTOBUCKET'
)
select
    movements.transaction_code,
    movements.linked_transaction_code,
    movements.resource,
    movements.created_at,
    movements.created_on,
    movements.finished_at,
    movements.type,
    movements.in_or_out,
    case
        when movements.type in ('BUY', 'BROKERBUY') then 'ACQUISITION FOR FIAT'
        when movements.type in ('SELL', 'BROKERSELL') then 'DISPOSAL FOR FIAT'
        when movements.type = 'SWAP' and movements.in_or_out = 'IN' then 'ACQUISITION FOR CRYPTO'
        when movements.type = 'SWAP' and movements.in_or_out = 'OUT' then 'DISPOSAL FOR CRYPTO'
        when movements.type = 'RECEIVEIN' then 'TRANSFER IN'
        when movements.type = 'SENDOUT' then 'TRANSFER OUT'
        when movements.type = 'SENDINTERNAL' and movements.in_or_out = 'IN' then 'TRANSFER IN, INTERNAL'
        when movements.type = 'SENDINTERNAL' and movements.in_or_out = 'OUT' then 'TRANSFER OUT, INTERNAL'
        when movements.type in ('GIFT', 'INTEREST', 'CLAWBACK') then movements.type
        else 'NOT CLASSIFIED'
    end as movement,
    movements.customer_code,
    customers.country_code,
    customers.is_business,
    customers.customer_code is not null as is_customer_known,
    movements.crypto_code,
    abs(movements.crypto_amount) as crypto_amount,
    movements.currency_code,
    abs(movements.fiat_value) as fiat_value,
    movements.partner_fee_fiat,
    movements.bank_fee_fiat,
    movements.network_fee_fiat,
    movements.payment_method_code,
    movements.destination_crypto_address,
    movements.blockchain_transaction_id
from movements
left join {{ ref('stg_nexus__customers') }} as customers on customers.customer_code = movements.customer_code
