-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('customer_compliance_history')) }}

select
    customer_code,
    {{ dbt_nexus.utc('created') }} as created_at,
    {{ dbt_nexus.word('status') }} as status,
    trust_level,
    currency_code,
    cast(is_business as boolean) as is_business,
    {{ dbt_nexus.word('risk_qualification') }} as risk_qualification,
    {{ dbt_nexus.utc('latest_review') }} as latest_review_at,
    cast(is_review_recommended as boolean) as is_review_recommended,
    reason,
    initiated_by,
    {{ dbt_nexus.utc_day('created') }} as created_on
from {{ dbt_nexus.records('customer_compliance_history') }}
