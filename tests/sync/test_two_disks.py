"""Two workers with disks of their own that have the watermark in common, and the list of what is unsettled: as with an asset."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.exceptions import NexusWindowError
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow, choose_window
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.parquet.unsettled import Unsettled
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of
from tests.sync.capturing import BEGIN, DAY, held_in, living

T = TypeVar("T")
RESOURCES = ("broker_transactions", "orders")


@dataclass
class Shared(Generic[T]):
    """What all workers find."""

    value: T | None = None

    def get(self) -> T | None:
        return self.value

    def set(self, value: T) -> None:
        self.value = value


@dataclass
class Workers:
    """Run the same task, each on its own disk."""

    sandbox: Sandbox
    resource: str
    watermark: Shared[str] = field(default_factory=Shared)
    unsettled: Shared[dict[str, str]] = field(default_factory=Shared)

    def run(self, disk: Path, requested: RequestedWindow | None = None, **options: Any) -> dict[str, Any] | None:
        """One run, a day after the one before."""
        resource = get_resource(self.resource)
        copy = ParquetCopy(disk, Table(resource), unsettled=Unsettled(Table(resource), self.unsettled))
        begin: Any = {"watermark": self.watermark.get} if self.watermark.value else {"arguments": (BEGIN, None)}
        request = SyncRequest(resource=resource, requested=requested or choose_window(**begin), page_size=20, **options)
        client = client_of(self.sandbox)
        try:
            return CaptureJob(client, request, copy, watermark=self.watermark, rereads=0).run()
        finally:
            client.session.close()
            self.sandbox.advance(DAY)


@pytest.fixture(params=RESOURCES)
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    with living(per_day=40) as sandbox:
        yield Workers(sandbox, request.param)


@pytest.fixture
def disks(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "one", tmp_path / "other"


def test_a_disk_without_any_window_is_refused(workers: Workers, disks: tuple[Path, Path]) -> None:
    one, other = disks
    workers.run(one)
    known = workers.watermark.value
    said = rf"the last sync of {workers.resource} ended at {known}, and the copy has no window at all: .*window_start"
    with pytest.raises(NexusWindowError, match=said):
        workers.run(other)
    assert (list(other.rglob("*")), workers.watermark.value) == ([], known), "nothing is stored, and nothing counts as stored"
    assert workers.run(one) is not None
    assert verify(one).is_fine


def test_nor_does_a_data_interval_make_it_the_first_window(workers: Workers, disks: tuple[Path, Path]) -> None:
    """A run that is cleared asks for its own interval, wherever it runs."""
    one, other = disks
    workers.run(one)
    workers.run(one)
    interval = choose_window(interval=(BEGIN + timedelta(days=1), BEGIN + timedelta(days=2)))
    with pytest.raises(NexusWindowError, match="no window at all"):
        workers.run(other, interval)
    assert list(other.rglob("*")) == []


def test_a_disk_without_the_last_windows_is_refused_until_they_are_asked_for(workers: Workers, disks: tuple[Path, Path]) -> None:
    one, other = disks
    workers.run(one)
    shutil.copytree(one, other)
    end = workers.watermark.value
    workers.run(one)
    with pytest.raises(NexusWindowError, match=rf"has none after {end}: .*window_start={end}"):
        workers.run(other)
    workers.run(other, choose_window(arguments=(end, None)))
    assert held_in(other).keys() == keys_of(workers)
    assert workers.run(other) is not None


def test_changes_of_records_in_windows_that_are_not_there_are_refused(workers: Workers, disks: tuple[Path, Path]) -> None:
    one, other = disks
    workers.run(one)
    workers.run(one)
    ended = workers.watermark.value
    workers.watermark.value = None  # as where somebody takes the watermark away instead of giving a window
    with pytest.raises(NexusWindowError, match=r"earlier runs have brought changed, and .*other has no window for them"):
        workers.run(other, choose_window(arguments=(ended, None)))
    assert workers.watermark.value is None
    workers.run(other, choose_window(arguments=(BEGIN, None)))
    assert held_in(other).keys() == keys_of(workers)


def test_a_copy_is_begun_anew_from_its_first_window(workers: Workers, disks: tuple[Path, Path]) -> None:
    one, other = disks
    workers.run(one)
    workers.run(one)
    workers.run(other, choose_window(arguments=(BEGIN, None)))
    assert held_in(other).keys() == keys_of(workers)
    assert workers.run(other) is not None


def test_the_watermark_stays_before_what_is_not_proved(workers: Workers, disks: tuple[Path, Path]) -> None:
    one, _ = disks
    workers.sandbox.configure(total_error=3)
    workers.run(one, strict=False)
    assert workers.watermark.value is None
    workers.sandbox.configure(total_error=0)
    workers.run(one, strict=False)
    assert held_in(one).keys() == keys_of(workers)


def keys_of(workers: Workers) -> set[str]:
    """What Nexus has up to the watermark."""
    end = moment(workers.watermark.value, "watermark")
    read = RowReader(get_resource(workers.resource)).read
    return {read(raw).key for raw in workers.sandbox.truth(workers.resource, None, end)}
