"""The tree and the tables are made once; tests that change them get a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.report.tables import Grown, grow_both
from tests.report.trees import grow
from tests.shared import made_once


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "grown-tree", grow)


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = made_once(tmp_path_factory, "grown-both", _grow_both)
    return folder / "books.db", folder / "files"


def _grow_both(folder: Path) -> None:
    folder.mkdir()
    engine = sa.create_engine(f"sqlite:///{folder / 'books.db'}")
    grow_both(engine, folder / "files")
    engine.dispose()
