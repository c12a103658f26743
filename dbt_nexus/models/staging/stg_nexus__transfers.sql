-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('transfers')) }}

select
    transfer_code,
    {{ dbt_nexus.word('type') }} as type,
    {{ dbt_nexus.word('status') }} as status,
    {{ dbt_nexus.money('amount', 24) }} as amount,
    {{ dbt_nexus.utc('created') }} as created_at,
    {{ dbt_nexus.utc('finished') }} as finished_at,
    exchange_transfer_code,
    {{ dbt_nexus.money('price', 22) }} as price,
    tx_id,
    user_name,
    comment,
    crypto_code,
    {{ dbt_nexus.word('address_source_type') }} as source_type,
    {{ dbt_nexus.word('address_sink_type') }} as sink_type,
    address_address as address,
    address_sink_exchange_code as sink_exchange_code,
    address_source_exchange_code as source_exchange_code,
    {{ dbt_nexus.utc_day('created') }} as created_on
from {{ dbt_nexus.records('transfers') }}
