{{ config(enabled=dbt_nexus.is_loaded('customers') or dbt_nexus.is_loaded('customer_compliance_history')) }}

{% if dbt_nexus.is_loaded('customer_compliance_history') -%}
with states as (
    select
        customer_code as record_key,
        customer_code,
        status,
        risk_qualification,
        trust_level,
        created_at as valid_from,
        -- Of several changes at one moment, the order is not known: one of them is taken, always the same.
        row_number() over (
            partition by customer_code, created_at
            order by status, risk_qualification, trust_level, latest_review_at
        ) as place,
        false as is_deleted
    from {{ ref('stg_nexus__customer_compliance_history') }}
), last_states as (
    select * from states where place = 1
)
{%- set known_by = 'compliance history' %}
{%- elif dbt_nexus.has_history('customers') -%}
with states as (
    select
        _key as record_key,
        customer_code,
        {{ dbt_nexus.word('status') }} as status,
        {{ dbt_nexus.word('risk_qualification') }} as risk_qualification,
        trust_level,
        {{ dbt_nexus.utc('_read_at') }} as valid_from,
        row_number() over (partition by _key, _read_at order by _load desc) as place,
        cast(_deleted as boolean) as is_deleted
    from {{ source('nexus', 'customer_versions') }}
), last_states as (
    select * from states where place = 1
)
{%- set known_by = 'history of the table' %}
{%- else -%}
with last_states as (
    select
        customer_code,
        status,
        risk_qualification,
        trust_level,
        dbt_valid_from as valid_from,
        dbt_valid_to as seen_until,
        false as is_deleted
    from {{ ref('nexus_customers_snapshot') }}
)
{%- set known_by = 'snapshots of dbt' %}
{%- endif %}
, intervals as (
    select
        customer_code,
        status,
        risk_qualification,
        trust_level,
        valid_from,
        {% if known_by == 'snapshots of dbt' -%}
        seen_until as valid_until,
        {%- else -%}
        lead(valid_from) over (partition by record_key order by valid_from) as valid_until,
        {%- endif %}
        is_deleted
    from last_states
)
select
    customer_code,
    status,
    risk_qualification,
    trust_level,
    valid_from,
    valid_until,
    '{{ known_by }}' as known_by
from intervals
where not is_deleted
