{% test equals_manifests(model, resource) %}
{#- Counts and sums are those of the manifests of the loads, to the last digit.

    Of a table: its number of records, and the sums of each window that no later load has touched, or of a snapshot.
    Of Parquet files: both, of all windows.
-#}
{%- set amounts = dbt_nexus.amounts(resource) -%}
{%- set codes = amounts | map(attribute=2) | unique | list -%}
with manifests as (
    {{ dbt_nexus.manifests(resource) }}
), undisturbed as (
    -- Those of open or finished records alone are of no window and no snapshot.
    select *
    from manifests
    where feed in ('created', 'whole')
    and not exists (
        select 1
        from manifests as later
        where later.number > manifests.number
            and (
                later.window_start is null
                or manifests.window_start is null
                or later.feed <> 'created'
                or (later.window_start < manifests.window_end and manifests.window_start < later.window_end)
            )
    )
), rows_of_these as (
    select *
    from {{ model }} as records
    {%- if not dbt_nexus.is_file(resource) %}
    where exists (
        select 1
        from undisturbed
        where undisturbed.window_start is null
            {%- if resource in dbt_nexus.windowed() %}
            or (records.created_at >= undisturbed.window_start and records.created_at < undisturbed.window_end)
            {%- endif %}
    )
    {%- endif %}
), stated as (
    {{ dbt_nexus.manifest_sums('undisturbed') }}
)
{%- for code in codes %}
, by_{{ code }} as (
    select
        coalesce({{ code }}, '') as code
        {%- for field, column, code_of, scale in amounts if code_of == code %}
        , {{ dbt_nexus.sum(column, scale) }} as {{ column }}
        {%- endfor %}
    from rows_of_these
    group by 1
)
{%- endfor %}
, expected as (
    {%- for field, column, code_of, scale in amounts %}
    select '{{ field }}' as field, code, {{ dbt_nexus.comparable(dbt_nexus.sum(dbt_nexus.money('digits', scale), scale), scale) }} as total
    from stated where field = '{{ field }}' group by code
    union all
    {%- endfor %}
    {{ dbt_nexus.expected_records(resource) }}
), found as (
    {%- for field, column, code_of, scale in amounts %}
    select '{{ field }}' as field, code, {{ dbt_nexus.comparable(column, scale) }} as total
    from by_{{ code_of }} where {{ column }} is not null
    union all
    {%- endfor %}
    select 'number of records' as field, '' as code, {{ dbt_nexus.comparable('count(*)', 0) }} as total from {{ model }}
)
select
    coalesce(expected.field, found.field) as field,
    coalesce(expected.code, found.code) as code,
    expected.total as in_manifests,
    found.total as in_records
from expected
full outer join found on expected.field = found.field and expected.code = found.code
where expected.total is distinct from found.total
{% endtest %}
