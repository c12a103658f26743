-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('reserves')) }}

select
    reserve_kind,
    code,
    name,
    {{ dbt_nexus.word('type') }} as type,
    bucket_code,
    exchange_code,
    {{ dbt_nexus.money('total', 24) }} as total,
    {{ dbt_nexus.money('locked', 24) }} as locked,
    {{ dbt_nexus.money('available', 24) }} as available,
    {{ dbt_nexus.money('unconfirmed', 24) }} as unconfirmed,
    {{ dbt_nexus.utc('updated') }} as updated_at,
    blockchain_code,
    token_code,
    crypto_code,
    cast(is_active as boolean) as is_active
from {{ dbt_nexus.records('reserves') }}
