-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('orders')) }}

select
    order_code,
    exchange_trade_code,
    trade_pair_exchange_code as exchange_code,
    trade_pair_currency_code as currency_code,
    trade_pair_crypto_code as crypto_code,
    {{ dbt_nexus.word('action') }} as action,
    {{ dbt_nexus.word('type') }} as type,
    {{ dbt_nexus.word('status') }} as status,
    {{ dbt_nexus.money('amount', 20) }} as amount,
    {{ dbt_nexus.money('limit_price', 22) }} as limit_price,
    {{ dbt_nexus.utc('created') }} as created_at,
    {{ dbt_nexus.utc('finished') }} as finished_at,
    {{ dbt_nexus.utc('original_valid_till') }} as valid_until,
    {{ dbt_nexus.money('executed_amount', 24) }} as executed_amount,
    {{ dbt_nexus.money('executed_price', 22) }} as executed_price,
    {{ dbt_nexus.money('executed_value', 20) }} as executed_value,
    {{ dbt_nexus.money('executed_fee', 20) }} as executed_fee,
    cast(executed_partial as boolean) as is_partial,
    reason,
    cast(data as text) as data,
    {{ dbt_nexus.utc_day('created') }} as created_on
from {{ dbt_nexus.records('orders') }}
