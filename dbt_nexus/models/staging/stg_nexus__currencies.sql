-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('currencies')) }}

select
    code,
    name,
    cast(is_active as boolean) as is_active,
    {{ dbt_nexus.money('rate', 22) }} as rate,
    {{ dbt_nexus.utc('rate_updated') }} as rate_updated_at
from {{ dbt_nexus.records('currencies') }}
