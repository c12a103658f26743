{% snapshot nexus_customers_snapshot %}
{{ config(
    enabled=dbt_nexus.is_loaded('customers')
        and not dbt_nexus.is_loaded('customer_compliance_history')
        and not dbt_nexus.has_history('customers'),
    unique_key='customer_code',
    strategy='check',
    check_cols=['status', 'risk_qualification', 'trust_level'],
    hard_deletes='invalidate',
    pre_hook="{{ dbt_nexus.set_utc() }}",
) }}
select customer_code, status, risk_qualification, trust_level
from {{ ref('stg_nexus__customers') }}
{% endsnapshot %}
