from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.load.sql.databases import KINDS, Databases


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    started = Databases()
    yield started
    started.close()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """A new, empty database of each kind."""
    return databases.url(request.param, tmp_path)


@pytest.fixture
def undisturbed(url: str, databases: Databases, tmp_path: Path) -> str:
    """Another one of the same kind."""
    return databases.url(sa.make_url(url).drivername, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = sa.create_engine(url)
    yield made
    made.dispose()
