"""Generates the pages that come from the code, so that pages and code always agree."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from inventory import reference
from remedies import REMEDIES

from airflow_provider_nexus import exceptions
from airflow_provider_nexus.api.lifecycles import Lifecycle, Phase
from airflow_provider_nexus.api.resource import DateFilter, Resource
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.cli.definition import COMMANDS, Argument, Command
from airflow_provider_nexus.client.retry import ENDINGS
from airflow_provider_nexus.exceptions import NexusApiError, NexusError
from airflow_provider_nexus.load.columns import Column, Table

SURFACES = {"A": "A", "B": "B", "AB": "A and B"}
PHASES = {Phase.IN_FLIGHT: "in flight", Phase.HELD: "held", Phase.SUCCEEDED: "succeeded", Phase.FAILED: "failed"}
COLUMNS = {"Field": 22, "Column": 22, "Kind": 7, "Unit": 6, "Personal data": 8, "Surface": 7, "Meaning": 28}
CATALOGUE = {"Resource": 18, "Path": 18, "Surface": 8, "Window": 16, "Filters": 14, "Statuses": 8, "Totals": 8, "Key": 10}
ARGUMENTS = {"Argument": 22, "Default": 14, "Meaning": 64}
_PARAM = re.compile(r"^:param (\w+): ", re.MULTILINE)


def write_all(folder: Path) -> None:
    """Write every generated page; a page that did not change is not written, so that Sphinx does not read it again."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        page, text = folder / name, make()
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def data_dictionary() -> str:
    """Every resource of the catalogue with every field of its records."""
    return "\n".join(line for resource in RESOURCES.values() for line in _resource(resource))


def catalogue() -> str:
    """Every resource of the catalogue in one line each."""
    return "\n".join(_table(CATALOGUE, map(_line, RESOURCES.values())))


def errors() -> str:
    """Every error of the provider, children after their parent."""
    return "\n".join(line for error in _tree(NexusError) for line in _error(error))


def commands() -> str:
    """Every command of the command line with its arguments."""
    return "\n".join(line for command in COMMANDS for line in _command(command))


def endings() -> str:
    """Every ending of a call, and what it shows about the change that the call was to make."""
    rows = ((ending.name, ending.outcome.value, ending.why) for ending in ENDINGS)
    return "\n".join(_table({"What comes back": 44, "The change is": 16, "Because": 40}, rows))


PAGES = {
    "endings.rst": endings,
    "data_dictionary.rst": data_dictionary,
    "catalogue.rst": catalogue,
    "errors.rst": errors,
    "cli.rst": commands,
    "reference.rst": reference,
}
"""Pages by the name of their file."""


def _line(resource: Resource) -> tuple[str, ...]:
    return (
        f":ref:`{resource.name} <resource-{resource.name}>`",
        _code(resource.path),
        SURFACES[resource.surface],
        "; ".join(_date_filter(each) for each in (resource.created, resource.finished) if each) or "none, read whole",
        _codes(resource.filters),
        _code(resource.lifecycle.status_field) if resource.lifecycle else "",
        "yes" if resource.totals_path else "",
        _codes(resource.key),
    )


def _resource(resource: Resource) -> Iterator[str]:
    yield from (f".. _resource-{resource.name}:", "", resource.name, "-" * len(resource.name), "")
    yield from (f"{_escape(resource.meaning)}.", "")
    yield from (f":{name}: {text}" for name, text in _facts(resource) if text)
    yield ""
    columns = Table(resource).by_path
    yield from _table(COLUMNS, (_row(path, field, columns.get(".".join(path))) for path, field in resource.schema.walk()))


def _facts(resource: Resource) -> Iterator[tuple[str, str]]:
    yield "Path", _code(f"GET {resource.path}")
    yield "One record", _code(f"GET {resource.member_path}") if resource.member_path else ""
    yield "Totals", _code(f"GET {resource.totals_path}") if resource.totals_path else ""
    yield "Surface", SURFACES[resource.surface]
    yield "API version", resource.api_version
    yield "Shape", resource.shape.value if resource.envelope else f"{resource.shape.value}, without an envelope"
    yield "Key", _codes(resource.key)
    yield "Stamp", _codes(filter(None, [resource.created.stamp if resource.created else resource.stamp])) or "none"
    yield "Date filters", "; ".join(_date_filter(each) for each in (resource.created, resource.finished) if each) or "none"
    yield "Other filters", _codes(resource.filters)
    yield "Mutable", "yes" if resource.mutable else "no, a record never changes"
    yield "Parent", _parent(resource) if resource.parent else ""
    yield "Lifecycle", _lifecycle(resource.lifecycle) if resource.lifecycle else ""


def _date_filter(bounds: DateFilter) -> str:
    names = _codes(filter(None, (bounds.since, bounds.until)))
    return f"{names} on {_code(bounds.stamp)}" + ("" if bounds.until else " (no upper bound)")


def _parent(resource: Resource) -> str:
    where = f"in the query as {_code(resource.parent_query)}" if resource.parent_query else "in the path"
    only = f", only where {_code(resource.parent_only)} is true" if resource.parent_only else ""
    return (
        f":ref:`{resource.parent} <resource-{resource.parent}>`, its code {where}{only}; stored as {_code(resource.parent_field)}"
    )


def _lifecycle(lifecycle: Lifecycle) -> str:
    phases = (f"{words}: {_codes(lifecycle.of(phase))}" for phase, words in PHASES.items() if lifecycle.of(phase))
    return f"{_code(lifecycle.status_field)}; " + "; ".join(phases) + "; any other status is unknown and never success"


def _row(path: tuple[str, ...], field: Field, column: Column | None) -> tuple[str, ...]:
    name, personal = _code(column.name) if column else "", "yes" if field.personal else ""
    return _code(".".join(path)), name, field.kind, field.unit, personal, SURFACES[field.surface], _escape(field.meaning)


def _table(columns: dict[str, int], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    widths = " ".join(str(width) for width in columns.values())
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in (tuple(columns), *rows):
        yield from (f"   {'* -' if number == 0 else '  -'} {cell}".rstrip() for number, cell in enumerate(row))
    yield ""


def _tree(root: type[NexusError]) -> Iterator[type[NexusError]]:
    yield root
    known = (child for child in root.__subclasses__() if child.__module__ == exceptions.__name__)
    for child in sorted(known, key=_order):
        yield from _tree(child)


def _order(error: type[NexusError]) -> int:
    return list(vars(exceptions)).index(error.__name__)


def _error(error: type[NexusError]) -> Iterator[str]:
    yield from (f".. _error-{error.__name__}:", "", error.__name__, "-" * len(error.__name__), "")
    summary, *params = _PARAM.split(inspect.cleandoc(error.__doc__ or ""))
    yield from (summary.strip(), "")
    yield from (f":{_code(name)}: {' '.join(text.split())}" for name, text in zip(params[::2], params[1::2], strict=True))
    yield from ("", f"Is a kind of {_bases(error)}.", "")
    yield from (f"What to do: {_escape(_remedy(error))}", "")


def _remedy(error: type[NexusError]) -> str:
    is_own = issubclass(error, NexusApiError) and error is not NexusApiError
    return str(error.__dict__["advice"]) if is_own else REMEDIES[error.__name__]


def _command(command: Command) -> Iterator[str]:
    yield from (f".. _cli-{command.name}:", "", command.name, "-" * len(command.name), "", f"{_escape(command.help)}.", "")
    if command.arguments:
        yield from _table(ARGUMENTS, map(_argument, command.arguments))
    else:
        yield from ("It takes no arguments.", "")


def _argument(argument: Argument) -> tuple[str, ...]:
    text = argument.help.replace("%%", "%")
    meaning, _, stated = text.partition(" (default: ")
    default = stated.removesuffix(")") or argument.options.get("default")
    metavar = str(argument.options.get("metavar", ""))
    name = f"{argument.flag} {metavar}".rstrip() if argument.flag.startswith("-") else metavar or argument.flag
    return (
        _code(name),
        _code(str(default)) if default not in (None, "", [], False) else "",
        _escape(meaning),
    )


def _bases(error: type[NexusError]) -> str:
    own = (base for base in error.__bases__ if issubclass(base, NexusError))
    other = (base for base in error.__bases__ if not issubclass(base, NexusError))
    links = [f":ref:`{base.__name__} <error-{base.__name__}>`" for base in own]
    return " and of ".join([*links, *(_code(base.__name__) for base in other)])


def _code(text: str) -> str:
    return f"``{text}``"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(_code(text) for text in texts)


def _escape(text: str) -> str:
    return re.sub(r"([\\*`|_])", r"\\\1", text)
