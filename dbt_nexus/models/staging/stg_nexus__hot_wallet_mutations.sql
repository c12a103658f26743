-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('hot_wallet_mutations')) }}

select
    {{ dbt_nexus.word('type') }} as type,
    {{ dbt_nexus.utc('created') }} as created_at,
    transaction_code,
    {{ dbt_nexus.money('crypto_amount', 24) }} as crypto_amount,
    crypto_code,
    {{ dbt_nexus.money('value', 22) }} as value,
    {{ dbt_nexus.utc_day('created') }} as created_on
from {{ dbt_nexus.records('hot_wallet_mutations') }}
