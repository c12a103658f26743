"""Every resource of the catalogue, from the server into each kind of copy, under the declared shapes and under the others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from deltalake import DeltaTable

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Output
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.settings import OTHER_SHAPES
from airflow_provider_nexus.sync.job import SyncJob
from tests.extract.serving import client_of

FEW = 6
"""Parents whose children are read."""


@pytest.fixture(scope="module", params=[(), OTHER_SHAPES], ids=["declared", "other"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(transactions=60, customers=14, days=2, clock_speed=0, amounts="awkward", other_shapes=request.param) as served:
        yield served


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[NexusClient]:
    made = client_of(sandbox)
    yield made
    made.session.close()


def parents_of(sandbox: Sandbox, resource: Resource) -> tuple[str, ...] | None:
    """Some parents that have children, if it is a child."""
    if not resource.parent:
        return None
    parent = RESOURCES[resource.parent]
    reader = RowReader(parent)
    codes = [reader.read(raw).key for raw in sandbox.truth(parent.name)]
    with_children = [code for code in codes if has_children(sandbox, resource, code)]
    return tuple(with_children[:FEW])


def has_children(sandbox: Sandbox, resource: Resource, code: str) -> bool:
    try:
        return bool(sandbox.truth(resource.name, parent=code))
    except LookupError:
        return False


def truth_of(sandbox: Sandbox, resource: Resource, parents: tuple[str, ...] | None, requested: RequestedWindow | None) -> int:
    if parents is not None:
        return sum(len(sandbox.truth(resource.name, parent=code)) for code in parents)
    return len(sandbox.truth(resource.name, requested.start, requested.end)) if requested else len(sandbox.truth(resource.name))


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "sql", "delta"])
@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_all_records_arrive(sandbox: Sandbox, client: NexusClient, tmp_path: Path, name: str, kind: str) -> None:
    resource = RESOURCES[name]
    parents = parents_of(sandbox, resource)
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    requested = RequestedWindow(end - timedelta(days=400), end, "arguments") if resource.is_windowed else None
    expected = truth_of(sandbox, resource, parents, requested)
    request = SyncRequest(resource=resource, requested=requested, parents=parents)
    if kind == "jsonl":
        summary = SyncJob(client, request, Loader(JsonLinesCopy(tmp_path / "copy"))).run()
    elif kind == "parquet":
        summary = SyncJob(client, request, Loader(ParquetCopy(tmp_path / "copy", Table(resource)))).run()
    elif kind == "sql":
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}")
        base_url = client.session.environment.base_url
        copy = SqlCopy(engine, "copied", Table(resource), environment="sandbox", base_url=base_url)
        summary = SyncJob(client, request, Loader(copy)).run()
        with engine.connect() as connection:
            stored = connection.execute(sa.text("SELECT COUNT(*) FROM copied")).scalar_one()
        engine.dispose()
    else:
        output: Output = "history" if sandbox.settings.other_shapes else "current"
        base_url = client.session.environment.base_url
        lake = DeltaCopy(tmp_path / "copy", Table(resource), environment="sandbox", base_url=base_url, output=output)
        summary = SyncJob(client, request, Loader(lake)).run()
        assert lake.check().problems == ()
        stored = DeltaTable(tmp_path / "copy").to_pyarrow_table().num_rows
    assert summary is not None
    assert (summary["verdict"], summary["rejected"]) == ("proved", 0)
    found = count_in(summary) if kind in ("jsonl", "parquet") else stored
    assert found == summary["records"] == expected > 0


def count_in(summary: dict[str, Any]) -> int:
    """Records in the files that the manifest names."""
    count = 0
    for file in json.loads(Path(summary["manifest"]).read_bytes())["files"]:
        path = Path(summary["path"]) / file["name"]
        count += (
            pq.read_metadata(path).num_rows if path.suffix == ".parquet" else len(gzip.decompress(path.read_bytes()).splitlines())
        )
    return count


def test_the_other_shapes_are_others(sandbox: Sandbox, client: NexusClient) -> None:
    pairs, is_other = client.run("GET", "/tradepairs"), bool(sandbox.settings.other_shapes)
    assert isinstance(pairs, list) == is_other
    assert isinstance(client.run("GET", "/exchanges"), list) == is_other
