"""The tree and the tables are made once; tests that change them get a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.report.tables import Grown, grow_both
from tests.report.trees import grow


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("tree")
    grow(root)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = tmp_path_factory.mktemp("both")
    engine = sa.create_engine(f"sqlite:///{folder / 'books.db'}")
    grow_both(engine, folder / "files")
    engine.dispose()
    return folder / "books.db", folder / "files"
