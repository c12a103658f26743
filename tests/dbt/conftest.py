from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.load.sql.databases import Databases


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    started = Databases()
    yield started
    started.close()
