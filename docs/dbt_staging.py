"""Staging models of the dbt package, made from the catalogue: a view, its columns and its tests for each resource.

``python docs/dbt_staging.py`` writes them into ``dbt_nexus``; a test fails while they are not as they would be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.load.columns import Column, Table

PACKAGE = Path(__file__).parents[1] / "dbt_nexus"
RESOURCES = [
    *("transactions", "broker_transactions", "customers", "customer_compliance_history", "accounts", "orders", "transfers"),
    *("hot_wallet_mutations", "mails", "payment_methods", "currencies", "prices", "reserves", "balances", "customer_balances"),
]
"""Those that have a staging model."""
RELATIONS = {
    ("transactions", "customer_code"): "customers",
    ("broker_transactions", "customer_code"): "customers",
    ("accounts", "customer_code"): "customers",
    ("transactions", "payment_method_code"): "payment_methods",
}
"""Which columns name records of which other resource."""
NO_CODE = ("hot_wallet_mutations", "customer_compliance_history", "reserves")
"""Their records have no code, so their keys have several parts, of which any may be missing."""
_OBJECTS = re.compile(r"^(trade_pair|references|address|fees)_|(?<=^requested_)amounts_|(?<=^executed_)amounts_")
_PLAIN = {
    ("orders", "executed_partial"): "is_partial",
    ("orders", "original_valid_till"): "valid_until",
    ("accounts", "account_status"): "status",
    ("accounts", "dc_receive_address"): "receive_address",
    ("payment_methods", "fees_bank_fixed"): "bank_fee_fixed",
    ("payment_methods", "fees_bank_relative"): "bank_fee_fraction",
    ("payment_methods", "fees_service_relative"): "service_fee_fraction",
}
_UPPER = {"status", "type", "transaction_type", "direction", "action", "risk_qualification", "source_type", "sink_type"}
"""Words that Nexus writes in different case in different places."""
_MARK = "made by docs/dbt_staging.py from the catalogue"


def files() -> dict[str, str]:
    """The text of each file, by its path in the package."""
    sql = {f"models/staging/stg_nexus__{name}.sql": _model(get_resource(name)) for name in RESOURCES}
    return {
        **sql,
        "models/staging/_sources.yml": "\n".join(_sources()),
        "models/staging/_staging.yml": "\n".join(_described()),
        "macros/catalogue.sql": "\n".join(_catalogue()),
    }


def plain(resource: Resource, column: Column) -> str:
    """The name of a column in the staging model."""
    if known := _PLAIN.get((resource.name, column.name)):
        return known
    name = _OBJECTS.sub("", column.name)
    return f"{name.removesuffix('_on')}_at" if column.kind == "time" else name


def _model(resource: Resource) -> str:
    table = Table(resource)
    values = [_value(resource, column) for column in table.fields]
    if table.created:
        values.append(f"{{{{ dbt_nexus.utc_day('{table.created}') }}}} as created_on")
    head = f"-- {_MARK}\n{{{{ config(enabled=dbt_nexus.is_loaded('{resource.name}')) }}}}\n\nselect\n    "
    return head + ",\n    ".join(values) + f"\nfrom {{{{ dbt_nexus.records('{resource.name}') }}}}\n"


def _value(resource: Resource, column: Column) -> str:
    name = plain(resource, column)
    if column.kind == "money":
        return f"{{{{ dbt_nexus.money('{column.name}', {column.scale}) }}}} as {name}"
    if column.kind == "time":
        return f"{{{{ dbt_nexus.utc('{column.name}') }}}} as {name}"
    kinds = {"flag": "boolean", "date": "date", "integer": "bigint", "json": "text"}
    if column.kind in kinds:
        return f"cast({column.name} as {kinds[column.kind]}) as {name}"
    if name in _UPPER:
        return f"{{{{ dbt_nexus.word('{column.name}') }}}} as {name}"
    return column.name if name == column.name else f"{column.name} as {name}"


def _sources() -> Iterator[str]:
    yield from (f"# {_MARK}", "version: 2", "", "sources:", "  - name: nexus")
    yield "    description: What NexusToSqlOperator, or in DuckDB NexusToObjectStorageOperator, has stored."
    yield "    database: \"{{ var('nexus_database', none) or target.database }}\""
    yield "    schema: \"{{ var('nexus_schema', none) or target.schema }}\""
    yield "    tables:"
    for name in RESOURCES:
        yield from _source(name, f"\"{{{{ var('nexus_tables', {{}}).get('{name}') or '{name}' }}}}_records\"", f"'{name}'")
        yield f"        description: {_quoted(get_resource(name).meaning + ', each record once, as it is now')}"
    yield from _source("customer_versions", "\"{{ var('nexus_tables', {}).get('customers') or 'customers' }}\"", "'customers'")
    yield "        description: Customers, a row for each version that was seen, where the table was loaded with history=True"
    for name in ("nexus_table", "nexus_manifest"):
        yield f"      - name: {name}"
        what = "Copies of this schema, a row each" if name == "nexus_table" else "Loads, a row for each that changed something"
        yield f"        description: {what}; NexusToSqlOperator writes it"


def _source(name: str, identifier: str, needs: str) -> Iterator[str]:
    yield f"      - name: {name}"
    yield f"        identifier: {identifier}"
    yield from ("        config:", f"          enabled: \"{{{{ {needs} in var('nexus_tables', {{}}) }}}}\"")


def _described() -> Iterator[str]:
    yield from (f"# {_MARK}", "version: 2", "", "models:")
    for name in RESOURCES:
        resource, table = get_resource(name), Table(get_resource(name))
        yield f"  - name: stg_nexus__{name}"
        yield f"    description: {_quoted(resource.meaning + ', a row each, as it is now. Times are in UTC.')}"
        key = [plain(resource, table.by_path[part]) for part in resource.key if part in table.by_path]
        yield from ("    data_tests:", "      - dbt_nexus.equals_manifests:", "          arguments:")
        yield from (f"            resource: {name}", "          config:")
        loaded = f"'{name}' in var('nexus_tables', {{}}) and var('nexus_manifests', true)"
        yield f'            enabled: "{{{{ {loaded} }}}}"'
        if len(key) > 1 and name not in NO_CODE:
            yield from ("      - dbt_nexus.unique_together:", "          arguments:")
            yield f"            columns: [{', '.join(key)}]"
        yield "    columns:"
        for column in table.fields:
            yield f"      - name: {plain(resource, column)}"
            yield f"        description: {_quoted(_meaning(column, plain(resource, column)))}"
            yield from _tests(name, plain(resource, column), is_key=key == [plain(resource, column)], table=table)
        if table.created:
            yield "      - name: created_on"
            yield "        description: UTC day on which it was made"
            yield from ("        data_tests:", "          - not_null")


def _meaning(column: Column, name: str) -> str:
    notes = [re.sub(", in (mixed|any) case", "", column.meaning)]
    notes += ["in upper case"] * (name in _UPPER)
    notes += ["in UTC"] * (column.kind == "time")
    notes += ["JSON text as it came"] * (column.kind == "json")
    notes += ["personal data"] * column.personal
    return "; ".join(notes)


def _tests(resource: str, name: str, *, is_key: bool, table: Table) -> Iterator[str]:
    lines = []
    if is_key:
        lines += ["          - not_null", "          - unique"]
    lifecycle = table.resource.lifecycle
    if lifecycle and lifecycle.is_complete and name == "status":
        values = ", ".join(sorted(f"'{status.upper()}'" for status in lifecycle.statuses))
        lines += ["          - accepted_values:", "              arguments:", f"                values: [{values}]"]
        lines += ["              config:", "                severity: warn"]
    if other := RELATIONS.get((resource, name)):
        key = "customer_code" if other == "customers" else "code"
        lines += ["          - relationships:", "              arguments:", f"                to: ref('stg_nexus__{other}')"]
        lines += [f"                field: {key}", "              config:", "                severity: warn"]
        both = " and ".join(f"'{each}' in var('nexus_tables', {{}})" for each in (resource, other))
        lines += [f'                enabled: "{{{{ {both} }}}}"']
    if lines:
        yield from ("        data_tests:", *lines)


def _catalogue() -> Iterator[str]:
    yield f"{{#- {_MARK} -#}}"
    yield "{% macro resources() %}"
    yield f"{{% do return({RESOURCES}) %}}"
    yield "{% endmacro %}"
    windowed = [name for name in RESOURCES if get_resource(name).is_windowed]
    yield from (
        "",
        "{% macro windowed() %}",
        "{#- Resources that are loaded in windows of the time of creation; others are loaded whole. -#}",
    )
    yield from (f"{{% do return({windowed}) %}}", "{% endmacro %}")
    yield from ("", "{% macro statuses(resource, phase) %}", "{#- The known statuses of a phase, in upper case. -#}")
    yield "{% do return({"
    for name in RESOURCES:
        if lifecycle := get_resource(name).lifecycle:
            phases = {phase.value: [each.upper() for each in lifecycle.of(phase)] for phase in Phase if lifecycle.of(phase)}
            yield from (f"    '{name}': {{", *(f"        '{phase}': {known}," for phase, known in phases.items()), "    },")
    yield from ("}[resource][phase]) %}", "{% endmacro %}", "")
    yield "{% macro amounts(resource) %}"
    yield "{#- Amounts that manifests have sums of: name on the wire, column, column of the currency, digits after the point. -#}"
    yield "{% do return({"
    for each in RESOURCES:
        resource = get_resource(each)
        by_path = Table(resource).by_path
        codes = {"fiat": resource.fiat_code, "crypto": resource.crypto_code}
        rows = []
        for path, field in resource.schema.amounts():
            code = ".".join(codes[field.unit] or ())
            spelt = plain(resource, by_path[code]) if code else ""
            name = plain(resource, by_path[".".join(path)])
            rows.append(f"        ['{'.'.join(path)}', '{name}', '{spelt}', {field.scale}],")
        yield from (f"    '{each}': [", *rows, "    ],")
    yield "}[resource]) %}"
    yield "{% endmacro %}"
    yield ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    for name, text in files().items():
        path = PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
