"""The pages that are made from the code leave nothing of it out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_nexus import exceptions
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.definition import COMMANDS, Command
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.load.columns import Table
from tests.docs.pages import DOCS, generate, remedies

ERRORS = [value for value in vars(exceptions).values() if inspect.isclass(value) and issubclass(value, NexusError)]


SECTIONS = dict(re.findall(r"\.\. _resource-(\w+):\n(.*?)(?=\n\.\. _resource-|\Z)", generate.data_dictionary(), re.DOTALL))
ERROR_SECTIONS = dict(re.findall(r"\.\. _error-(\w+):\n(.*?)(?=\n\.\. _error-|\Z)", generate.errors(), re.DOTALL))
COMMAND_SECTIONS = dict(re.findall(r"\.\. _cli-([\w-]+):\n(.*?)(?=\n\.\. _cli-|\Z)", generate.commands(), re.DOTALL))

ROW = re.compile(r"^   \* - (.+)\n     -(.*)\n     - (.+)\n     -(.*)\n     -(.*)\n     - (.+)\n     - (.+)$", re.MULTILINE)

every_resource = pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)


def test_the_dictionary_has_every_resource_once() -> None:
    assert list(SECTIONS) == list(RESOURCES)
    assert generate.data_dictionary().count(".. _resource-") == len(RESOURCES)


@every_resource
def test_the_dictionary_has_every_field(resource: Resource) -> None:
    rows = ROW.findall(SECTIONS[resource.name])
    assert rows[0] == ("Field", " Column", "Kind", " Unit", " Personal data", "Surface", "Meaning")
    columns = {name: f"``{column.name}``" for name, column in Table(resource).by_path.items()}
    assert columns
    expected = [
        (
            f"``{'.'.join(path)}``",
            columns.get(".".join(path), ""),
            field.kind,
            field.unit,
            "yes" if field.personal else "",
            field.surface.replace("AB", "A and B"),
        )
        for path, field in resource.schema.walk()
    ]
    assert [
        (name, column.strip(), kind, unit.strip(), personal.strip(), surface)
        for name, column, kind, unit, personal, surface, _ in rows[1:]
    ] == expected
    assert all(meaning for *_, meaning in rows)


@every_resource
def test_the_dictionary_says_what_a_resource_is(resource: Resource) -> None:
    section = SECTIONS[resource.name]
    named = [resource.path, resource.member_path, resource.totals_path, resource.api_version, *resource.key, *resource.filters]
    named += [
        name for bounds in (resource.created, resource.finished) if bounds for name in (bounds.since, bounds.until, bounds.stamp)
    ]
    named += [resource.parent, resource.parent_field, resource.parent_query, resource.parent_only]
    named += resource.lifecycle.statuses if resource.lifecycle else []
    assert [name for name in named if name not in section] == []
    assert f":Mutable: {'yes' if resource.mutable else 'no'}" in section


def test_the_list_of_errors_is_complete() -> None:
    assert sorted(ERROR_SECTIONS) == sorted(error.__name__ for error in ERRORS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_explained(error: type[NexusError]) -> None:
    section = ERROR_SECTIONS[error.__name__]
    summary, *params = re.split(r"^:param (\w+): ", inspect.cleandoc(error.__doc__ or ""), flags=re.MULTILINE)
    assert summary.strip()
    assert summary.strip() in section
    assert [name for name in params[::2] if f":``{name}``:" not in section] == []
    assert re.search(r"^What to do: \w.{20,}\.$", section, re.MULTILINE)


def test_no_remedy_is_for_an_error_that_is_not_there() -> None:
    assert sorted(set(remedies.REMEDIES) - {error.__name__ for error in ERRORS}) == []


def test_the_catalogue_has_every_resource_in_a_line() -> None:
    lines = re.findall(r"^   \* - :ref:`(\w+) <resource-\1>`\n     - ``(.+)``$", generate.catalogue(), re.MULTILINE)
    assert lines == [(resource.name, resource.path) for resource in RESOURCES.values()]


def test_the_command_line_is_complete() -> None:
    assert list(COMMAND_SECTIONS) == [command.name for command in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_argument_is_explained(command: Command) -> None:
    section = COMMAND_SECTIONS[command.name]
    assert command.help in section
    for argument in command.arguments:
        name = argument.flag if argument.flag.startswith("-") else argument.options.get("metavar", argument.flag)
        assert re.search(rf"^   \* - ``{re.escape(name)}( .+)?``\n     -.*\n     - \w", section, re.MULTILINE), argument.flag


def test_pages_that_did_not_change_are_left_alone(tmp_path: Path) -> None:
    generate.write_all(tmp_path / "new")
    before = {page: page.stat().st_mtime_ns for page in (tmp_path / "new").iterdir()}
    generate.write_all(tmp_path / "new")
    assert {page: page.stat().st_mtime_ns for page in before} == before
    assert sorted(page.name for page in before) == sorted(generate.PAGES)


def test_every_generated_page_is_shown() -> None:
    shown = {name for page in DOCS.glob("*.rst") for name in re.findall(r"include:: _generated/(\S+)", page.read_text())}
    assert shown == set(generate.PAGES)
