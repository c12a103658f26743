-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('payment_methods')) }}

select
    code,
    name,
    crypto_code,
    currency_code,
    {{ dbt_nexus.money('fees_bank_fixed', 22) }} as bank_fee_fixed,
    {{ dbt_nexus.money('fees_bank_relative', 24) }} as bank_fee_fraction,
    {{ dbt_nexus.money('fees_service_relative', 24) }} as service_fee_fraction,
    payment_type_code,
    payment_type_description,
    payment_type_name,
    {{ dbt_nexus.word('transaction_type') }} as transaction_type
from {{ dbt_nexus.records('payment_methods') }}
