"""Copies of every kind that the dbt package reads, and dbt's command on them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Copy
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.parquet.unsettled import Unsettled, unsettled_file
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sync.watermark import CopyWatermark, Watermark, file_watermark

DBT = Path(sys.prefix) / "dbt"
"""The environment that `make .venv/dbt.stamp` makes in the one that the tests run in."""
PACKAGE = Path(__file__).parents[2] / "dbt_nexus"
IN_TURN = """
import json, sys
from dbt.cli.main import dbtRunner
parse, *commands = json.load(sys.stdin)
runner = dbtRunner(manifest=dbtRunner().invoke(parse).result)
for command in commands:
    print(end="\\0", flush=True)
    outcome = runner.invoke(command).success
    print(end=f"\\0{outcome}", flush=True)
"""
"""Reads the project once, and runs commands of dbt one after the other, each of which is told whether it went well."""
FAR_AWAY = "Pacific/Auckland"
"""Half of a day of UTC is another day there."""


@functools.cache
def command() -> str:
    """dbt's command; skips the test where it is not installed, and fails it in continuous integration."""
    found = DBT / "bin" / "dbt"
    if not found.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("dbt is missing: make .venv/dbt.stamp installs it")
    return str(found)


@functools.cache
def extensions(folder: Path) -> Path:
    """A folder of DuckDB's extensions as it looks for them, with the one for SQLite from the package index."""
    (found,) = DBT.glob("lib/python*/site-packages/duckdb_extension_sqlite_scanner/extensions/*/*.duckdb_extension")
    machine = subprocess.run(
        [str(DBT / "bin" / "python"), "-c", "import duckdb; print(duckdb.sql('PRAGMA platform').fetchone()[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    place = folder / "extensions" / found.parent.name / machine
    place.mkdir(parents=True)
    (place / found.name).symlink_to(found)
    return folder / "extensions"


@dataclass
class Store:
    """Where copies go, and where dbt's models are built.

    :param url: of a database; empty for Parquet files
    :param tables: by resource, as the variable ``nexus_tables`` names them
    """

    folder: Path
    url: str = ""
    tables: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return sa.make_url(self.url).get_backend_name() if self.url else "parquet"

    @functools.cached_property
    def engine(self) -> sa.Engine:
        return sa.create_engine(self.url)

    def close(self) -> None:
        if self.url:
            self.engine.dispose()

    def copy(self, name: str, base_url: str, *, history: bool = False) -> tuple[Copy, Watermark]:
        """A copy of a resource, and up to where it goes."""
        resource = get_resource(name)
        if not self.url:
            return self._files(resource)
        self.tables[name] = f"nexus_{name}"
        output: Any = "history" if history else "current"
        copy = SqlCopy(self.engine, self.tables[name], Table(resource), environment="sandbox", base_url=base_url, output=output)
        return copy, CopyWatermark(copy)

    def _files(self, resource: Resource) -> tuple[Copy, Watermark]:
        folder, table = self.folder / "files" / resource.name, Table(resource)
        self.tables[resource.name] = f"{folder}/" if resource.name == "orders" else folder.as_uri()
        memory = Unsettled(table, unsettled_file(folder)) if resource.lifecycle else None
        return ParquetCopy(folder, table, unsettled=memory), file_watermark(folder)

    def profile(self) -> dict[str, Any]:
        """A target of dbt whose sessions are in another time zone."""
        if self.kind == "postgresql":
            url = sa.make_url(self.url)
            place = {"host": url.host, "port": url.port, "user": url.username, "password": "", "dbname": url.database}
            return {"type": "postgres", "schema": "analysts", "threads": 4, **place}
        found = {"type": "duckdb", "path": str(self.built), "threads": 4, "settings": {"TimeZone": FAR_AWAY}}
        if self.kind == "sqlite":
            found["config_options"] = {"extension_directory": str(extensions(self.folder))}
            path = sa.make_url(self.url).database
            found["attach"] = [{"path": path, "alias": "nexus", "type": "sqlite", "read_only": True}]
        return found

    @property
    def built(self) -> Path:
        """DuckDB's file with the models."""
        return self.folder / "models.duckdb"

    def variables(self) -> dict[str, Any]:
        where = {"postgresql": {"nexus_schema": "public"}, "sqlite": {"nexus_database": "nexus", "nexus_schema": "main"}}
        return {"nexus_tables": self.tables, **where.get(self.kind, {})}

    def dbt(self, *arguments: str, fails: bool = False, **variables: object) -> str:
        """What dbt says; it must end as is expected."""
        ended = subprocess.run(
            [command(), *self._command(arguments, variables)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=self.folder,
        )
        assert (ended.returncode != 0) == fails, ended.stdout[-5000:] + ended.stderr[-2000:]
        return ended.stdout

    def dbt_takes(self, each: Iterable[dict[str, object]]) -> list[tuple[bool, str]]:
        """Whether the package takes variables, and what it says; in one process, as dbt is slow to start."""
        check = ["run-operation", "dbt_nexus.refuse_what_is_wrong"]
        commands = [self._command(["parse"], {}), *(self._command(check, variables) for variables in each)]
        python = [str(DBT / "bin" / "python"), "-c", IN_TURN]
        ended = subprocess.run(
            python, input=json.dumps(commands), capture_output=True, text=True, check=False, timeout=600, cwd=self.folder
        )
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        parted = ended.stdout.split("\x00")[1:]
        return [(outcome == "True", said) for said, outcome in zip(parted[::2], parted[1::2], strict=True)]

    def _command(self, arguments: Iterable[str], variables: dict[str, object]) -> list[str]:
        profiles = {"dbt_nexus": {"target": "here", "outputs": {"here": self.profile()}}}
        (self.folder / "profiles.yml").write_text(json.dumps(profiles))
        run = ["--no-use-colors", "--log-level-file", "none", *arguments, "--project-dir", str(PACKAGE)]
        run += ["--profiles-dir", str(self.folder), "--target-path", str(self.folder / "target")]
        return [*run, "--log-path", str(self.folder), "--vars", json.dumps(self.variables() | variables)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the models."""
        if self.kind == "postgresql":
            with self.engine.connect() as connection:
                connection.execute(sa.text("SET search_path TO analysts"))
                return [tuple(row) for row in connection.execute(sa.text(query))]
        with duckdb.connect(str(self.built), read_only=True) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def in_another_zone(url: str, folder: Path) -> Iterator[Store]:
    """A store whose sessions are in another time zone, whoever opens them."""
    store = Store(folder, url)
    if store.kind == "postgresql":
        name = sa.make_url(url).database
        with store.engine.begin() as connection:
            connection.execute(sa.text(f"ALTER DATABASE {name} SET timezone TO '{FAR_AWAY}'"))
        store.engine.dispose()
    yield store
    store.close()
