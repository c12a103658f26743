from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.airflow.transfers.copies import sql_connection


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A file of SQLite, and Airflow's connection to it."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    made = sa.create_engine(url)
    with sql_connection(url):
        yield made
    made.dispose()
