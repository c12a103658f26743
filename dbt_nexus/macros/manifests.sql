{# What the manifests of loads state. #}

{% macro manifests(resource) %}
{#- The manifests of a resource: load, feed, window in UTC, JSON text. -#}
{%- if dbt_nexus.is_file(resource) -%}
select
    0 as number,
    'created' as feed,
    cast(null as timestamp) as window_start,
    cast(null as timestamp) as window_end,
    content as manifest
from read_text('{{ dbt_nexus.folder(resource) }}/*/_manifest.json')
{%- if resource not in dbt_nexus.windowed() %}
where split_part(filename, '/', -2) = {{ dbt_nexus.last_snapshot(resource) }}
{%- endif -%}
{%- else -%}
select
    number,
    feed,
    {{ dbt_nexus.utc('window_start') }} as window_start,
    {{ dbt_nexus.utc('window_end') }} as window_end,
    manifest
from {{ source('nexus', 'nexus_manifest') }}
where table_name = '{{ var('nexus_tables')[resource] }}' and resource = '{{ resource }}'
{%- endif -%}
{% endmacro %}

{% macro manifest_sums(manifests) %}
{#- Field on the wire, code of the currency, digits: a row for each sum of each manifest. -#}
{%- if target.type == 'duckdb' -%}
select field, entry.key as code, entry.value as digits
from (
    select field.key as field, unnest(map_entries(field.value)) as entry
    from (
        select unnest(map_entries(cast(cast(manifest as json) -> 'sums' as map(varchar, map(varchar, varchar))))) as field
        from {{ manifests }}
    ) as fields
) as entries
{%- else -%}
select fields.key as field, entries.key as code, cast(entries.value as numeric) as digits
from {{ manifests }}
cross join lateral json_each(cast(manifest as json) -> 'sums') as fields
cross join lateral json_each_text(fields.value) as entries
{%- endif -%}
{% endmacro %}

{% macro expected_records(resource) %}
{#- A table's last manifest states how many records it has then; each manifest of files how many they have. -#}
{%- if dbt_nexus.is_file(resource) -%}
select 'number of records' as field, '' as code, {{ dbt_nexus.comparable("sum(cast(json_extract_string(manifest, '$.records') as bigint))", 0) }} as total
from manifests
{%- elif target.type == 'duckdb' -%}
select 'number of records' as field, '' as code, {{ dbt_nexus.comparable("cast(json_extract_string(manifest, '$.state.records') as bigint)", 0) }} as total
from manifests where number = (select max(number) from manifests)
{%- else -%}
select 'number of records' as field, '' as code, cast(cast(manifest as json) -> 'state' ->> 'records' as numeric) as total
from manifests where number = (select max(number) from manifests)
{%- endif -%}
{% endmacro %}

{% macro comparable(value, scale) %}
{#- Numbers of any scale in one column. -#}
{%- if target.type == 'duckdb' -%} cast(cast({{ value }} as decimal(38, {{ scale }})) as varchar)
{%- else -%} cast({{ value }} as numeric) {%- endif -%}
{% endmacro %}
