-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('customer_balances')) }}

select
    customer_code,
    code,
    name,
    {{ dbt_nexus.money('locked', 24) }} as locked,
    {{ dbt_nexus.money('total', 24) }} as total,
    {{ dbt_nexus.money('available', 24) }} as available
from {{ dbt_nexus.records('customer_balances') }}
