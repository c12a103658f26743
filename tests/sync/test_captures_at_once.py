"""Two runs that keep the same copy at once, which ``max_active_runs=1`` prevents and a cleared run can still bring about."""

from __future__ import annotations

import multiprocessing
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.manifest import load
from airflow_provider_nexus.load.parquet.changes import Patch
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from tests.repeated import times
from tests.sync.capturing import DAY, into_files, living

SPAWN = multiprocessing.get_context("spawn")


def run(base_url: str, token: str, folder: str, delay: float, told: Any) -> None:
    """One capture, in a process of its own; tells the name of its error."""
    time.sleep(delay)
    there: Any = SimpleNamespace(base_url=base_url, token=token)
    try:
        into_files(there, Path(folder), rereads=100).run()
    except NexusStorageError as error:
        told.put(str(error))
    except BaseException as error:  # noqa: BLE001 - the test shows it
        told.put(f"unexpected {error!r}")
    else:
        told.put("")


def test_a_window_that_another_run_has_changed_is_not_patched(tmp_path: Path) -> None:
    with living(per_day=40) as sandbox:
        capture = into_files(sandbox, tmp_path)
        capture.run()
        before = {path.parent: load(path.parent) for path in tmp_path.glob("2*/_manifest.json")}
        sandbox.advance(DAY)
        capture.run()
    folder, manifest = next((folder, manifest) for folder, manifest in before.items() if load(folder) != manifest)
    assert manifest is not None
    table = Table(capture.entry)
    patch = Patch(folder, table, manifest, ParquetWriter(table, {}))
    with pytest.raises(NexusStorageError, match=r"changed while it was read: .* Run it again"):
        patch.rewrite({}, read_at=datetime.now(UTC), read_by="open")
    patch.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(times(2, 3)))
def test_neither_spoils_what_the_other_writes(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with living(per_day=40) as sandbox:
        capture = into_files(sandbox, tmp_path, rereads=100)
        capture.run()
        for _ in range(3):
            sandbox.advance(DAY)
            told = SPAWN.Queue()
            places = sandbox.base_url, sandbox.token, str(tmp_path)
            both = [SPAWN.Process(target=run, args=(*places, chance.random() * 0.05, told)) for _ in range(2)]
            for process in both:
                process.start()
            said = [told.get(timeout=60) for _ in both]
            for process in both:
                process.join(20)
            assert all(not text or text.endswith("Run it again") for text in said), said
            if any(said):
                capture.run()  # the one that gave up may have left a window to be written again
            assert capture.wrong() == []
