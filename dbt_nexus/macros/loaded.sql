{# What the user has loaded, and where it is. #}

{% macro is_loaded(resource) %}
{%- do dbt_nexus.refuse_what_is_wrong() -%}
{%- do return(resource in var('nexus_tables', {})) -%}
{% endmacro %}

{% macro is_file(resource) %}
{#- Whether it is a folder of Parquet files. -#}
{%- do return('/' in (var('nexus_tables', {}).get(resource) or '')) -%}
{% endmacro %}

{% macro has_history(resource) %}
{%- do return(dbt_nexus.is_loaded(resource) and resource in (var('nexus_histories', []) or [])) -%}
{% endmacro %}

{% macro records(resource) %}
{#- The records of a resource as they are now, each once: the view of its table, or its Parquet files. -#}
{%- set relation = source('nexus', resource) -%}
{%- if dbt_nexus.is_file(resource) -%}
{%- if target.type != 'duckdb' -%}
{%- do exceptions.raise_compiler_error("nexus_tables." ~ resource ~ " is a folder, which DuckDB alone reads: name a table") -%}
{%- endif -%}
{%- set files = dbt_nexus.folder(resource) ~ "/*/*.parquet" -%}
{%- if resource in dbt_nexus.windowed() -%}
read_parquet('{{ files }}', union_by_name = true)
{%- else -%}
(
    select *
    from read_parquet('{{ files }}', union_by_name = true, filename = true)
    where split_part(filename, '/', -2) = {{ dbt_nexus.last_snapshot(resource) }}
)
{%- endif -%}
{%- else -%}
{%- if execute -%}
{#- Not by adapter.get_relation: while one thread fills its cache, another one finds a part of the relations there. -#}
{%- set there = list_relations_without_caching(relation.without_identifier()).columns['name'].values() -%}
{%- if relation.identifier | lower not in there | map('lower') -%}
{%- do exceptions.raise_compiler_error("There is no " ~ relation ~ ", which nexus_tables." ~ resource ~ " leads to: load it with NexusToSqlOperator, name its table there, or take it out") -%}
{%- endif -%}
{%- endif -%}
{{ relation }}
{%- endif -%}
{% endmacro %}

{% macro last_snapshot(resource) %}
{#- Each snapshot has a folder of its own, named by its time. -#}
(select max(split_part(file, '/', -2)) from glob('{{ dbt_nexus.folder(resource) }}/*/_manifest.json'))
{%- endmacro %}

{% macro folder(resource) %}
{%- do return(var('nexus_tables')[resource].replace("file://", "").replace("'", "''").rstrip("/")) -%}
{% endmacro %}

{% macro refuse_what_is_wrong() %}
{%- set known, tables, histories = dbt_nexus.resources(), var('nexus_tables', {}), var('nexus_histories', []) or [] -%}
{%- if tables is not mapping -%}
{%- do exceptions.raise_compiler_error("nexus_tables is " ~ tables ~ ": give a mapping of resources and their tables, such as {orders: nexus_orders}") -%}
{%- endif -%}
{%- if histories is string or histories is mapping or histories is not iterable -%}
{%- do exceptions.raise_compiler_error("nexus_histories is " ~ histories ~ ": give a list of resources, such as [customers]") -%}
{%- endif -%}
{%- set as_of = var('nexus_as_of', none) -%}
{%- if as_of and not modules.re.fullmatch('\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])([ T]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d{1,6})?)?Z?)?', as_of | string) -%}
{%- do exceptions.raise_compiler_error("nexus_as_of is " ~ as_of ~ ": give a moment in UTC, such as 2026-03-01 or 2026-03-01 12:00") -%}
{%- endif -%}
{%- for resource in tables if resource not in known -%}
{%- do exceptions.raise_compiler_error("nexus_tables names " ~ resource ~ ", which has no model: it can be one of " ~ known | join(', ')) -%}
{%- endfor -%}
{%- for resource in tables if not tables[resource] -%}
{%- do exceptions.raise_compiler_error("nexus_tables." ~ resource ~ " is empty: name its table, or take it out") -%}
{%- endfor -%}
{%- for resource in histories if resource not in tables or dbt_nexus.is_file(resource) -%}
{%- do exceptions.raise_compiler_error("nexus_histories names " ~ resource ~ ", of which nexus_tables has no table: earlier versions are read from tables alone") -%}
{%- endfor -%}
{% endmacro %}

{% macro say_what_is_left_out() %}
{%- set missing = dbt_nexus.resources() | reject('in', var('nexus_tables', {})) | join(', ') -%}
{%- if execute and missing -%}
{%- do log("dbt_nexus builds nothing that needs one of these, as nexus_tables does not name them: " ~ missing, info=true) -%}
{%- endif -%}
{% endmacro %}
