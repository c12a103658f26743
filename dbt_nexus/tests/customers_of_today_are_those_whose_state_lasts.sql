-- The customers of the last day are those whose state began before its end and has not ended.
{{ config(enabled=dbt_nexus.is_loaded('customers') or dbt_nexus.is_loaded('customer_compliance_history')) }}

with last_day as (
    select cast({{ dbt_nexus.as_of() }} as date) as day
), counted as (
    select coalesce(sum(customers), 0) as customers
    from {{ ref('nexus_customers_by_day') }}
    where day = (select day from last_day)
), lasting as (
    select count(*) as customers
    from {{ ref('nexus_customer_states') }}
    where cast(valid_from as date) <= (select day from last_day)
        and (valid_until is null or cast(valid_until as date) > (select day from last_day))
)
select counted.customers as counted, lasting.customers as lasting
from counted
cross join lasting
where counted.customers <> lasting.customers
