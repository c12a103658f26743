"""What DAG authors may use, found in the provider's own info and modules, as reStructuredText for autodoc."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from airflow_provider_nexus import exceptions
from airflow_provider_nexus.compat import HAS_RETRY_POLICIES
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.get_provider_info import get_provider_info

_PACKAGE = "airflow_provider_nexus"
_MEMBERS = {
    "Hooks": ("   :members:", "   :inherited-members: BaseHook, LoggingMixin"),
    **dict.fromkeys(("Sandbox", "Links", "Retry policy"), ("   :members:",)),
}
_PARAM = re.compile(r"^:param (\w+): (.*(?:\n +.*)*)", re.MULTILINE)
_NAMED = {
    "Links": ("links.nexus.PORTAL_KEY", "links.nexus.REPORT_KEY"),
    "Catalogue": ("api.resources.RESOURCES",),
    "Reports": (
        *("report.put_report", "report.write_report", "report.table.put_table_report", "report.table.write_table_report"),
        "verify.tables.open_table",
    ),
}
"""Public names that no list of the provider's info leads to."""
_WITHOUT_NEW = "   :exclude-members: __new__"


@dataclass(frozen=True)
class Entry:
    """One public name.

    :param address: where to import it from
    :param value: the class or function
    """

    address: str
    value: Any

    @property
    def module(self) -> str:
        """Where to import it from."""
        return self.address.rpartition(".")[0]


def groups() -> dict[str, list[Entry]]:
    """Public names by what they are."""
    found = {title: list(_entries(modules)) for title, modules in _modules(get_provider_info()).items()}
    for title, addresses in _NAMED.items():
        found[title] = [*found[title], *(_entry_at(f"{_PACKAGE}.{address}") for address in addresses)]
    return found


def parents(kind: type) -> list[type]:
    """The nearest classes of the provider that a class takes further arguments from."""
    found: list[type] = []
    for base in kind.__bases__:
        if base.__module__.startswith(_PACKAGE):
            found += [base] if ":param " in (base.__doc__ or "") else parents(base)
    return list(dict.fromkeys(found))


def reference() -> str:
    """All public names with what they take, return and raise."""
    found = groups()
    return "\n".join(line for title, entries in found.items() if entries for line in _group(title, entries))


def _modules(info: Mapping[str, Any]) -> dict[str, list[str]]:
    def listed(kind: str) -> list[str]:
        return [name for each in info[kind] for name in each["python-modules"]]

    hooks = [kind["hook-class-name"].rpartition(".")[0] for kind in info["connection-types"]]
    return {
        "Hooks": list(dict.fromkeys([*hooks, *listed("hooks")])),
        "Operators": listed("operators"),
        "Transfers": [each["python-module"] for each in info["transfers"]],
        "Sensors": listed("sensors"),
        "Triggers": listed("triggers"),
        "Assets": list(dict.fromkeys(each["handler"].rpartition(".")[0] for each in info["asset-uris"])),
        "Links": list(dict.fromkeys(each.rpartition(".")[0] for each in info["extra-links"])),
        "Catalogue": [],
        "Reports": [],
        "Retry policy": [f"{_PACKAGE}.retry_policy"] if HAS_RETRY_POLICIES else [],
        "Sandbox": [f"{_PACKAGE}.sandbox"],
        "Errors": [f"{_PACKAGE}.exceptions"],
    }


def _entries(modules: list[str]) -> Iterator[Entry]:
    for module in map(import_module, modules):
        yield from (Entry(f"{module.__name__}.{name}", getattr(module, name)) for name in _public(module))


def _entry_at(address: str) -> Entry:
    module, _, name = address.rpartition(".")
    return Entry(address, getattr(import_module(module), name))


def _public(module: ModuleType) -> list[str]:
    """What a module says that it offers, else the classes that it defines, and the functions where it has no classes."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = {name: value for name, value in vars(module).items() if _is_own(module, name, value)}
    classes = [value for value in own.values() if inspect.isclass(value)]
    if module is exceptions:
        return [name for name, value in own.items() if value in classes]
    tips = [kind for kind in classes if not any(issubclass(other, kind) and other is not kind for other in classes)]
    return [name for name, value in own.items() if value in (tips or own.values())]


def _is_own(module: ModuleType, name: str, value: Any) -> bool:
    return not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__


def _group(title: str, entries: list[Entry]) -> Iterator[str]:
    yield from (title, "-" * len(title), "")
    if title == "Errors":
        yield from ("What each means and what to do is on the page :doc:`errors`.", "")
    for entry in entries:
        yield from _entry(entry, _MEMBERS.get(title, ()))


def _entry(entry: Entry, members: tuple[str, ...]) -> Iterator[str]:
    if not callable(entry.value):
        yield from (f".. autodata:: {entry.address}", "   :no-value:", "")
        return
    if not inspect.isclass(entry.value):
        yield from (f".. autofunction:: {entry.address}", "")
        return
    is_error = issubclass(entry.value, NexusError)
    yield f".. auto{'exception' if is_error else 'class'}:: {entry.address}"
    yield from (*members, _WITHOUT_NEW, "")
    if not is_error:
        yield from (f"   {line}" if line else "" for line in _notes(entry))


def _notes(entry: Entry) -> Iterator[str]:
    yield from (f"Import it from ``{entry.module}``.", "")
    yield from _inherited(entry.value)
    if templated := ", ".join(f"``{name}``" for name in getattr(entry.value, "template_fields", ())):
        yield from (f"Templated: {templated}.", "")


def _inherited(kind: type) -> Iterator[str]:
    """The arguments that a class takes from others, which are no public names themselves."""
    own, found, waiting = _PARAM.findall(inspect.getdoc(kind) or ""), dict[str, str](), parents(kind)
    while waiting:
        parent = waiting.pop(0)
        found |= {name: text for name, text in _PARAM.findall(inspect.getdoc(parent) or "") if name not in found}
        waiting += parents(parent)
    if further := {name: text for name, text in found.items() if name not in dict(own)}:
        yield from ("Further arguments:", "")
        yield from (f"* ``{name}``: {' '.join(text.split())}" for name, text in further.items())
        yield ""
