-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('accounts')) }}

select
    guid,
    account_code,
    customer_code,
    {{ dbt_nexus.utc('created') }} as created_at,
    {{ dbt_nexus.utc('activated') }} as activated_at,
    dc_receive_address as receive_address,
    customer_crypto_address,
    crypto_code,
    {{ dbt_nexus.word('account_status') }} as status,
    account_type,
    bucket_code,
    provider_type,
    provider_name,
    {{ dbt_nexus.utc_day('created') }} as created_on
from {{ dbt_nexus.records('accounts') }}
