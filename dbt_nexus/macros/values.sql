{# Types and sums that are exact and the same on PostgreSQL and DuckDB. #}

{% macro money(column, scale) %}
{#- An amount with all its digits. PostgreSQL's numeric has them already; DuckDB's SQLite tables have them as text. -#}
{%- if target.type == 'duckdb' -%} cast({{ column }} as decimal(38, {{ scale }})) {%- else -%} {{ column }} {%- endif -%}
{% endmacro %}

{% macro sum(column, scale, over='') %}
{#- An exact sum, null where no amount is known. DuckDB adds decimals up beyond the digits of their type without an error, so
    there whole numbers and fractions are added up apart; what has no room in 38 digits then is an error, never a wrong number. -#}
{%- if target.type == 'duckdb' -%}
(cast(sum(cast(trunc({{ column }}) as decimal(38, 0))) {{ over }} as decimal(38, {{ scale }}))
    + cast(sum({{ column }} - trunc({{ column }})) {{ over }} as decimal(38, {{ scale }})))
{%- else -%} sum({{ column }}) {{ over }} {%- endif -%}
{% endmacro %}

{% macro utc(column) %}
{#- A moment as a timestamp in UTC, whatever the time zone of the session is. -#}
(cast({{ column }} as timestamp with time zone) at time zone 'UTC')
{%- endmacro %}

{% macro utc_day(column) %}
cast({{ dbt_nexus.utc(column) }} as date)
{%- endmacro %}

{% macro as_of() %}
{#- The moment at which ages are taken, in UTC. -#}
{%- if var('nexus_as_of', none) -%} cast('{{ var('nexus_as_of') }}' as timestamp)
{%- else -%} {{ dbt_nexus.utc('current_timestamp') }} {%- endif -%}
{% endmacro %}

{% macro days(first, last) %}
{#- A row for each day between two, as a column of a query that has them. -#}
{%- if target.type == 'duckdb' -%}
cast(unnest(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day')) as date)
{%- else -%}
cast(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day') as date)
{%- endif -%}
{% endmacro %}

{% macro is_one_of(column, statuses) %}
coalesce({{ column }}, '') in ('{{ statuses | join("', '") }}')
{%- endmacro %}

{% macro set_utc() %}
{#- dbt's snapshots take the time of the session. -#}
{%- if target.type == 'duckdb' -%} set TimeZone = 'UTC' {%- else -%} set time zone 'UTC' {%- endif -%}
{% endmacro %}

{% macro word(column) %}
{#- A status, type or the like in upper case, whatever the locale of the database makes of an i. -#}
{%- if target.type == 'duckdb' -%} upper({{ column }}) {%- else -%} upper({{ column }} collate "C") collate "default" {%- endif -%}
{% endmacro %}
