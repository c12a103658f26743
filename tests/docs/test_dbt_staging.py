"""The staging models of the dbt package are those that the catalogue makes, and need a column that is there."""

from __future__ import annotations

from importlib import import_module

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.load.columns import Table
from tests.docs.pages import ROOT

staging = import_module("dbt_staging")


def test_they_are_as_they_would_be_written() -> None:
    stored = {name: (ROOT / "dbt_nexus" / name).read_text() for name in staging.files()}
    assert stored == staging.files(), "python docs/dbt_staging.py writes them"
    there = {path.name for path in (ROOT / "dbt_nexus" / "models" / "staging").iterdir()}
    assert there == {name.rpartition("/")[2] for name in stored if "staging/" in name}


def test_each_column_has_a_plain_name_of_its_own() -> None:
    for name in staging.RESOURCES:
        resource = get_resource(name)
        names = [staging.plain(resource, column) for column in Table(resource).fields]
        assert len(names) == len(set(names)), name
