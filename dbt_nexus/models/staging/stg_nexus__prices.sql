-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('prices')) }}

select
    currency_code,
    crypto_code,
    {{ dbt_nexus.utc('created') }} as created_at,
    {{ dbt_nexus.money('buy', 22) }} as buy,
    {{ dbt_nexus.money('sell', 22) }} as sell,
    {{ dbt_nexus.money('estimated_network_slow_fee', 22) }} as estimated_network_slow_fee,
    {{ dbt_nexus.money('estimated_network_fast_fee', 22) }} as estimated_network_fast_fee,
    {{ dbt_nexus.utc('updated') }} as updated_at
from {{ dbt_nexus.records('prices') }}
