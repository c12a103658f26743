from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.sync.serving import sandbox_and_client


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with sandbox_and_client() as (sandbox, _):
        yield sandbox
