from __future__ import annotations

import asyncio
import logging
import math
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.rate_limit import RateLimiter
from airflow_provider_nexus.client.retry import RetryPolicy
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import LONGEST_PAUSE, NexusApiError, NexusRateLimitError
from airflow_provider_nexus.sandbox import Fault, Sandbox
from tests.client.socket_server import SocketServer, answer
from tests.extract.serving import client_of

TOKEN = "canary-2d9e71"
PING = Call("GET", "/labelpartner")


@pytest.fixture(autouse=True)
def _own_temp_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def limited(rate: float | None, token: str = TOKEN, host: str = "https://nexus.example") -> ClientSettings:
    return read_settings(token=token, host=host, extra={"rate_limit": rate})


def slots(limiter: RateLimiter, count: int) -> list[float]:
    return [round(limiter.reserve(), 6) for _ in range(count)]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_burst_and_then_one_slot_after_the_other() -> None:
    clock = Clock()
    limiter = RateLimiter(limited(4), clock=clock)
    assert slots(limiter, 7) == [0, 0, 0, 0, 0.25, 0.5, 0.75]
    clock.now += 0.75
    assert slots(limiter, 2) == [0.25, 0.5]
    clock.now += 100
    assert slots(limiter, 5) == [0, 0, 0, 0, 0.25]


@pytest.mark.parametrize(("rate", "expected"), [(0.1, [0, 10, 20]), (1, [0, 1, 2]), (1.5, [0, 0.666667, 1.333333])])
def test_a_burst_is_never_more_than_the_calls_of_a_second(rate: float, expected: list[float]) -> None:
    assert slots(RateLimiter(limited(rate), clock=Clock()), 3) == expected


@settings(max_examples=200, deadline=None)
@given(
    rate=st.one_of(st.integers(1, 50).map(float), st.floats(0.1, 50)),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 6), st.floats(0, 2)), min_size=1, max_size=15),
)
def test_no_span_sees_more_than_a_burst_and_the_rate(rate: float, steps: list[tuple[float, int, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        tasks = [RateLimiter(limited(rate), folder=Path(folder), clock=clock) for _ in range(3)]
        calls: list[float] = []
        for pause, count, hold in steps:
            clock.now += pause
            tasks[0].pause(hold - 1)
            made = [clock.now + tasks[number % 3].reserve() for number in range(count)]
            assert min(made) >= clock.now + max(0, hold - 1) - 1e-6
            calls += made
    assert calls == sorted(calls)
    for first in range(len(calls)):
        for last in range(first, len(calls)):
            span = calls[last] - calls[first]
            assert last - first + 1 <= tasks[0].burst + rate * span + 1e-6


def test_no_limit_makes_no_file_and_no_wait(tmp_path: Path) -> None:
    limiter = RateLimiter(limited(None))
    limiter.pause(5)
    assert slots(limiter, 1000) == [0] * 1000
    assert files(tmp_path) == []


def test_the_file_is_small_private_and_without_the_token(tmp_path: Path) -> None:
    limiter = RateLimiter(limited(2))
    slots(limiter, 3)
    assert files(tmp_path) == [limiter.path.name]
    assert stat.S_IMODE(limiter.path.stat().st_mode) == 0o600
    assert limiter.path.stat().st_size < 100
    assert TOKEN not in limiter.path.name + limiter.path.read_text()


def test_connections_do_not_share_a_bucket() -> None:
    clock = Clock()
    for other in (limited(1), limited(1, token="another"), limited(1, host="https://other.example")):
        assert slots(RateLimiter(other, clock=clock), 2) == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 64,
        b"nonsense",
        b"1 2 3",
        b"nan nan",
        b"inf 5",
        b"999 inf",
        b"999 1e300",
        b"5" * 4096,
        b"\xff\xfe",
        b"-inf 1e9",
    ],
)
def test_a_damaged_file_is_an_empty_bucket(content: bytes) -> None:
    limiter = RateLimiter(limited(1), clock=Clock())
    limiter.path.write_bytes(content)
    assert slots(limiter, 3) == [0, 1, 2]


def test_a_machine_that_was_started_anew_has_an_empty_bucket() -> None:
    clock = Clock(1e6)
    limiter = RateLimiter(limited(1), clock=clock)
    assert slots(limiter, 3) == [0, 1, 2]
    clock.now = 1e6 - 10
    assert slots(limiter, 3) == [0, 1, 2]


def test_a_hold_is_for_all_and_has_a_limit() -> None:
    clock = Clock()
    one, other = RateLimiter(limited(5), clock=clock), RateLimiter(limited(5), clock=clock)
    one.pause(30)
    one.pause(3)
    assert slots(other, 3) == [30, 30.2, 30.4]
    one.pause(1e9)
    assert slots(other, 1) == [LONGEST_PAUSE]


def _symlink(path: Path) -> None:
    path.symlink_to(path.with_name("target"))


def _hard_link(path: Path) -> None:
    path.with_name("precious").write_text("precious")
    path.hardlink_to(path.with_name("precious"))


@pytest.mark.parametrize("place", [_symlink, _hard_link, os.mkfifo, Path.mkdir], ids=lambda place: place.__name__)
def test_what_somebody_put_in_its_place_is_not_touched(tmp_path: Path, place: Any, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limiter = RateLimiter(limited(1), clock=clock)
    place(limiter.path)
    before = files(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert slots(limiter, 3) == [0, 1, 2]
        assert slots(RateLimiter(limited(1), clock=clock), 1) == [3]
    assert files(tmp_path) == before
    assert all((tmp_path / name).read_text() == "precious" for name in before if name == "precious")
    assert len(caplog.messages) == 1
    assert "the rate limit is for each task alone" in caplog.messages[0]
    assert TOKEN not in caplog.text


def test_the_file_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.geteuid()
    RateLimiter(limited(1), clock=Clock()).reserve()
    theirs = RateLimiter(limited(1), clock=Clock())
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert slots(theirs, 2) == [0, 1]


def test_a_folder_that_is_gone_leaves_a_bucket_of_this_process(tmp_path: Path) -> None:
    clock = Clock()
    limiter = RateLimiter(limited(2), folder=tmp_path / "gone", clock=clock)
    assert slots(limiter, 4) == [0, 0, 0.5, 1]
    assert slots(RateLimiter(limited(2), folder=tmp_path / "gone", clock=clock), 1) == [1.5]


_TASK = """
import sys, time
from airflow_provider_nexus.client.rate_limit import RateLimiter
from airflow_provider_nexus.client.settings import read_settings

booked = []

def clock():
    booked.append(time.monotonic())
    return booked[-1]

limiter = RateLimiter(read_settings(token="t0ken", extra={"rate_limit": 1000}), clock=clock)
print("ready", flush=True)
sys.stdin.readline()
slots = [limiter.reserve() + booked[-1] for _ in range(4000)]
print(min(slots), max(slots))
"""


def test_two_processes_share_one_bucket(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    tasks = [subprocess.Popen([sys.executable, "-c", _TASK], **pipes) for _ in range(2)]
    assert [task.stdout.readline() for task in tasks if task.stdout] == ["ready\n"] * 2
    for task in tasks:
        assert task.stdin
        task.stdin.write("go\n")
        task.stdin.flush()
    slots = [float(word) for task in tasks for word in task.communicate(timeout=60)[0].split()]
    assert max(slots) - min(slots) >= (8000 - 1000) / 1000 - 1e-6
    assert len(files(tmp_path)) == 1


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=3, transactions=10, days=1, clock_speed=0) as running:
        yield running


def whole_intervals(waits: list[float]) -> list[int]:
    """The waits in intervals of the slowest rate there is, ten seconds, of which the calls themselves take a part."""
    return [math.ceil(wait / 10) for wait in waits]


def test_the_session_waits_for_its_slots(sandbox: Sandbox, naps: list[float]) -> None:
    for client in [client_of(sandbox, rate_limit=0.1) for _ in range(2)]:
        for _ in range(2):
            client.session.send(PING, envelope.unwrap)
        client.session.close()
    assert whole_intervals(naps) == [1, 2, 3]


def test_attempts_after_the_first_take_slots_as_well(sandbox: Sandbox, naps: list[float]) -> None:
    sandbox.configure(faults=(Fault("status", status=503, times=3),))
    client = client_of(sandbox, rate_limit=0.1)
    calls = sandbox.call_count
    client.session.send(PING, envelope.unwrap)
    assert sandbox.call_count - calls == 4
    assert whole_intervals([nap for nap in naps if nap > 1]) == [1, 2, 3], "the others are those between two attempts"
    client.session.close()
    sandbox.configure(faults=())


def test_the_async_client_waits_and_lets_the_loop_go_on(
    sandbox: Sandbox, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep, waits = asyncio.sleep, list[float]()

    async def main() -> tuple[int, int]:
        go_on = asyncio.Event()

        async def wait(seconds: float) -> None:
            waits.append(seconds)
            await go_on.wait()

        client = AsyncNexusClient(read_settings(token=sandbox.token, host=sandbox.base_url, extra={"rate_limit": 0.1}))
        before = sandbox.call_count
        with monkeypatch.context() as patched:
            patched.setattr("airflow_provider_nexus.client.aio.asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": wait}))
            calls = asyncio.gather(*(client.send(PING, envelope.unwrap) for _ in range(4)))
            while (len(waits) < 3 or sandbox.call_count == before) and not calls.done():
                await sleep(0.01)
            early = sandbox.call_count - before
            go_on.set()
            await calls
        await client.aclose()
        return early, sandbox.call_count - before

    assert asyncio.run(main()) == (1, 4)
    assert (whole_intervals(waits), naps) == ([1, 2, 3], [])


@pytest.mark.parametrize("header", ["200", "date"])
@pytest.mark.parametrize("status", [429, 503, 500])
def test_one_task_that_is_told_to_wait_holds_all(status: int, header: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = format_datetime(now.replace(minute=3, second=20), usegmt=True) if header == "date" else header
    with SocketServer(answer(b"{}", status, Retry_After=later, Date=format_datetime(now, usegmt=True)), answer(b"{}")) as server:
        extra = {"rate_limit": 50, "retries": 0}
        client = AsyncNexusClient(read_settings(token=TOKEN, host=server.base_url, extra=extra))

        async def told() -> None:
            try:
                await client.send(PING, envelope.unwrap)
            finally:
                await client.aclose()

        with pytest.raises(NexusApiError):
            asyncio.run(told())
        assert 100 < RateLimiter(read_settings(token=TOKEN, host=server.base_url, extra=extra)).reserve() <= 200


def test_the_session_holds_all_too(sandbox: Sandbox) -> None:
    sandbox.configure(faults=(Fault("status", status=429, retry_after="200"),))
    client = client_of(sandbox, policy=RetryPolicy(retries=0), rate_limit=50)
    with pytest.raises(NexusRateLimitError):
        client.session.send(PING, envelope.unwrap)
    client.session.close()
    sandbox.configure(faults=())
    settings = read_settings(token=sandbox.token, host=sandbox.base_url, extra={"rate_limit": 50})
    assert 100 < RateLimiter(settings).reserve() <= 200
