{{ config(enabled=dbt_nexus.is_loaded('transactions') or dbt_nexus.is_loaded('broker_transactions')) }}

{%- set both = dbt_nexus.is_loaded('transactions') and dbt_nexus.is_loaded('broker_transactions') %}

with payouts as (
    {%- if dbt_nexus.is_loaded('broker_transactions') %}
    select
        transaction_code,
        'broker_transactions' as resource,
        type,
        status,
        {{ dbt_nexus.is_one_of('status', dbt_nexus.statuses('broker_transactions', 'held')) }} as is_held,
        customer_code,
        currency_code,
        payment_method_code,
        created_at,
        payout as fiat_amount
    from {{ ref('stg_nexus__broker_transactions') }}
    where status in ('TOPAYOUT', 'PAYOUTCONFIRMING', 'PAYOUTONHOLD') or (status = 'BLOCKED' and type = 'SELL')
    {%- endif %}
    {%- if both %}
    union all
    {%- endif %}
    {%- if dbt_nexus.is_loaded('transactions') %}
    select
        transaction_code,
        'transactions' as resource,
        type,
        status,
        {{ dbt_nexus.is_one_of('status', dbt_nexus.statuses('transactions', 'held')) }} as is_held,
        customer_code,
        currency_code,
        payment_method_code,
        created_at,
        coalesce(executed_fiat_value, requested_fiat_value) as fiat_amount
    from {{ ref('stg_nexus__transactions') }}
    where (status in ('TOPAYOUT', 'PAYOUTCONFIRMING') or (status = 'BLOCKED' and type in ('SELL', 'BROKERSELL')))
        {%- if both %}
        and not exists (
            select 1
            from {{ ref('stg_nexus__broker_transactions') }} as same
            where same.transaction_code = stg_nexus__transactions.transaction_code
        )
        {%- endif %}
    {%- endif %}
), aged as (
    select
        *,
        cast(floor(extract(epoch from ({{ dbt_nexus.as_of() }} - created_at)) / 86400) as integer) as age_days
    from payouts
    where created_at <= {{ dbt_nexus.as_of() }}
)
select
    *,
    case
        when age_days < 1 then '0 less than 1 day'
        when age_days < 3 then '1 from 1 day'
        when age_days < 7 then '2 from 3 days'
        when age_days < 30 then '3 from 7 days'
        else '4 from 30 days'
    end as age
from aged
