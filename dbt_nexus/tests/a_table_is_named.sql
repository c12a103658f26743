-- Without a table there is nothing to build, which dbt alone would not say.
{{ config(severity='warn') }}

select 'name the tables that you have loaded in the variable nexus_tables' as what_to_do
where {{ 'false' if var('nexus_tables', {}) else 'true' }}
