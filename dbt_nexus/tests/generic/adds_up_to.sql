{% test adds_up_to(model, to, counted, sums=[], only="") %}
{#- The rows of `to` are counted in the column `counted`, each once, and the sums of columns are those of `to`, to the last digit.

    `sums`: column here, column there and digits after the point, for each.
-#}
with here as (
    select
        coalesce(sum({{ counted }}), 0) as counted
        {%- for each in sums %}, {{ dbt_nexus.sum(each[0], each[2]) }} as sum_{{ loop.index }}{% endfor %}
    from {{ model }}
), there as (
    select
        count(*) as counted
        {%- for each in sums %}, {{ dbt_nexus.sum(each[1], each[2]) }} as sum_{{ loop.index }}{% endfor %}
    from {{ to }}
    {% if only %}where {{ only }}{% endif %}
)
select here.*
from here cross join there
where here.counted <> there.counted
    {%- for each in sums %}
    or here.sum_{{ loop.index }} is distinct from there.sum_{{ loop.index }}
    {%- endfor %}
{% endtest %}
