from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.cli.check import Grade, Probe
from airflow_provider_nexus.client import rate_store
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.rate_limit import RateLimiter
from airflow_provider_nexus.client.rate_store import RateStore, SharedBucket
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusApiError, NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from tests.client.socket_server import Asked, Reply, SocketServer, answer, free_port
from tests.client.test_trust import Authority, authority  # noqa: F401 - a fixture
from tests.lacking import find
from tests.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.databases
PASSWORD = "pass-canary-8c41"
PING = Call("GET", "/labelpartner")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server(password=PASSWORD) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rate_store, "_lost", {})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def store_at(port: int, **fields: Any) -> RateStore:
    return RateStore(**{"conn_id": "nexus_rate", "host": "127.0.0.1", "port": port, "password": Secret(PASSWORD), **fields})


def limited(store: RateStore, rate: float, host: str = "https://nexus.example", token: str = "") -> ClientSettings:
    extra = {"rate_limit": rate, "rate_limit_conn_id": store.conn_id, "retries": 0}
    return replace(read_settings(token=token or uuid.uuid4().hex, host=host, extra=extra), rate_limit_store=store)


def machines(folder: Path, found: ClientSettings, count: int = 2) -> list[RateLimiter]:
    """Limiters that have no file in common."""
    for number in range(count):
        (folder / str(number)).mkdir(exist_ok=True)
    return [RateLimiter(found, folder=folder / str(number)) for number in range(count)]


@pytest.mark.parametrize(("is_there", "grade", "how"), [(True, Grade.OK, ", shared through"), (False, Grade.WARNING, "alone")])
def test_the_check_of_a_connection_says_how_it_is_shared(server: RedisServer, is_there: bool, grade: Grade, how: str) -> None:
    store = store_at(server.port if is_there else free_port())
    with Sandbox(transactions=10) as sandbox:
        session = NexusSession(limited(store, 50, sandbox.base_url, sandbox.token))
        findings = {each.what: each for each in Probe(NexusClient(session)).findings()}
        session.close()
    assert findings["rate limit"].grade is grade
    assert findings["rate limit"].detail.startswith("50 calls a second, ")
    assert how in findings["rate limit"].detail
    assert "connection 'nexus_rate' (127.0.0.1:" in findings["rate limit"].detail
    assert PASSWORD not in str(findings)


@settings(max_examples=60)
@given(
    rate=st.one_of(st.integers(1, 50).map(float), st.floats(0.1, 50)),
    steps=st.lists(st.tuples(st.integers(1, 6), st.floats(0, 2)), min_size=1, max_size=15),
)
def test_no_span_sees_more_than_a_burst_and_the_rate(server: RedisServer, rate: float, steps: list[tuple[int, float]]) -> None:
    slots: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        tasks = machines(Path(folder), limited(store_at(server.port), rate), 3)
        for count, hold in steps:
            told = time.monotonic()
            tasks[0].pause(hold - 1)
            for number in range(count):
                before = time.monotonic()
                wait = tasks[number % 3].reserve()
                slots.append((before + wait, time.monotonic() + wait))
                assert slots[-1][1] >= told + hold - 1 - 1e-3
        for task in tasks:
            task.close()
    # when exactly Redis booked a call is not known, but between which moments
    for first in range(len(slots)):
        for last in range(first, len(slots)):
            longest = slots[last][1] - slots[first][0]
            assert last - first + 1 <= tasks[0].burst + rate * longest + 1e-3


_MACHINE = """
import sys
from dataclasses import replace
from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.rate_store import RateStore
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings

host, port, rate, count = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
store = RateStore("nexus_rate", "127.0.0.1", port, password=Secret(sys.stdin.readline()))
settings = read_settings(token="t0ken", host=host, extra={"rate_limit": rate, "rate_limit_conn_id": "nexus_rate"})
session = NexusSession(replace(settings, rate_limit_store=store))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(count):
    session.send(Call("GET", "/labelpartner"), envelope.unwrap)
"""


def test_machines_together_keep_to_one_limit(server: RedisServer, tmp_path: Path) -> None:
    rate, count, number, calls = 10, 12, 3, list[float]()

    def noted(asked: Asked) -> Reply:
        calls.append(time.monotonic())
        return answer(b"{}")

    tasks = []
    with SocketServer(by=noted) as nexus:
        for machine in range(number):
            (tmp_path / str(machine)).mkdir()
            environment = {**os.environ, "TMPDIR": str(tmp_path / str(machine))}
            command = [sys.executable, "-c", _MACHINE, nexus.base_url, str(server.port), str(rate), str(count)]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            tasks.append(subprocess.Popen(command, env=environment, **pipes))
        for task in tasks:
            assert task.stdin
            assert task.stdout
            task.stdin.write(f"{PASSWORD}\n")
            task.stdin.flush()
            assert task.stdout.readline() == "ready\n"
        began = time.monotonic()
        for task in tasks:
            assert task.stdin
            task.stdin.write("go\n")
            task.stdin.flush()
        assert [task.wait(timeout=90) for task in tasks] == [0] * number
    assert len(calls) == number * count
    assert len(list(tmp_path.glob("*/nexus-rate-*"))) == number, "each has a disk of its own"
    for made, at in enumerate(sorted(calls), 1):
        assert made <= rate + rate * (at - began)


async def _told_async(found: ClientSettings) -> None:
    client = AsyncNexusClient(found)
    try:
        await client.send(PING, envelope.unwrap)
    finally:
        await client.aclose()


def _told(found: ClientSettings) -> None:
    session = NexusSession(found)
    try:
        session.send(PING, envelope.unwrap)
    finally:
        session.close()


@pytest.mark.parametrize("told", [_told, lambda found: asyncio.run(_told_async(found))], ids=["worker", "triggerer"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_one_machine_is_told_holds_the_others(server: RedisServer, tmp_path: Path, status: int, told: Any) -> None:
    with SocketServer(answer(b"{}", status, Retry_After="200")) as nexus:
        found = limited(store_at(server.port), 50, nexus.base_url)
        with pytest.raises(NexusApiError):
            told(found)
        (other,) = machines(tmp_path, found, 1)
        assert 100 < other.reserve() <= 200


def test_the_key_is_a_digest_that_ends_by_itself(server: RedisServer, tmp_path: Path) -> None:
    server.admin.flushall()
    found = limited(store_at(server.port), 0.1, token="token-canary-77e0")
    machines(tmp_path, found)[0].reserve()
    (key,) = server.admin.keys()
    assert re.fullmatch("nexus-rate-[0-9a-f]{32}", str(key))
    assert 0 < server.admin.pttl(key) <= 10_000
    assert re.fullmatch(r"\d{16} \d{16}", str(server.admin.get(key)))


def test_other_tokens_and_hosts_have_buckets_of_their_own(server: RedisServer, tmp_path: Path) -> None:
    store = store_at(server.port)
    for other in (
        limited(store, 0.1, token="one"),
        limited(store, 0.1, token="two"),
        limited(store, 0.1, "https://b.example", "one"),
    ):
        first, second = machines(tmp_path, other)
        assert first.reserve() == 0
        assert second.reserve() > 0


def test_a_store_that_was_emptied_is_a_full_bucket_but_for_who_has_booked(server: RedisServer, tmp_path: Path) -> None:
    one, other = machines(tmp_path, limited(store_at(server.port), 0.1))
    one.reserve()
    one.pause(300)
    assert other.reserve() > 100
    server.admin.flushall()
    server.admin.script_flush()
    assert one.reserve() > 100, "what Nexus asked of this machine, it knows itself"
    assert machines(tmp_path / "0", limited(store_at(server.port), 0.1))[0].reserve() == 0


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "1 2 3", "-5 7", "1.5 2.5", "inf inf", "5" * 4096, "1 99999999999999999999999", "99999999999999999999 1"],
)
def test_what_is_no_bucket_counts_as_a_full_one(server: RedisServer, tmp_path: Path, content: str) -> None:
    limiter, _ = machines(tmp_path, limited(store_at(server.port), 0.1))
    server.admin.set(limiter.path.name.replace(f"-{os.geteuid()}", ""), content)
    assert limiter.reserve() == 0
    assert 0 < limiter.reserve() <= 10


def test_a_clock_that_was_set_back_leaves_what_was_booked(server: RedisServer) -> None:
    second, hour = 10**6, 3600 * 10**6
    bucket, (seconds, _) = SharedBucket(store_at(server.port), "nexus-rate-clock"), server.admin.time()
    later = seconds * second + hour
    server.admin.set(bucket.key, f"{later} {later + 2 * second}")
    assert bucket.change(0, 1) == 3


def test_a_store_that_is_gone_leaves_each_machine_its_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    one, other = machines(tmp_path, limited(store_at(port), 1))
    with caplog.at_level(logging.WARNING):
        assert [one.reserve() > 0 for _ in range(3)] == [False, True, True]
        assert [other.reserve() > 0 for _ in range(2)] == [False, True]
    assert len(caplog.messages) == 1
    assert f"connection 'nexus_rate' (127.0.0.1:{port}, database 0)" in caplog.text
    assert "the rate limit is for each machine alone" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_store_that_comes_back_is_used_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_store, "LOST", 0.0)
    with redis_server(password=PASSWORD) as first:
        one, other = machines(tmp_path, limited(store_at(first.port), 0.1))
        one.reserve()
        first.kill()
        with caplog.at_level(logging.INFO, rate_store.__name__):
            assert [other.reserve() > 0, other.reserve() > 0] == [False, True], "by its own bucket"
            with redis_server(port=first.port, password=PASSWORD):
                one.pause(300)
                assert other.reserve() > 100
        assert ["alone" in text for text in caplog.messages] == [True, False]
        assert "can be reached again" in caplog.messages[1]


def test_a_store_that_does_not_answer_holds_neither_the_worker_nor_the_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(limiter: RateLimiter) -> tuple[int, float]:
        looks, booking = 0, asyncio.create_task(limiter.areserve())
        while not booking.done():
            looks += 1
            await asyncio.sleep(0.01)
        return looks, booking.result()

    with redis_server(password=PASSWORD) as server:
        one, other = machines(tmp_path, limited(store_at(server.port), 1))
        one.reserve()
        server.freeze()
        looks, wait = asyncio.run(main(other))
    assert looks > 1, "the loop went on"
    assert wait == 0
    assert len([text for text in caplog.messages if "alone" in text]) == 1


@pytest.mark.parametrize("told", [_told, lambda found: asyncio.run(_told_async(found))], ids=["worker", "triggerer"])
def test_calls_go_out_where_the_store_is_gone(told: Any) -> None:
    with SocketServer(answer(b"{}")) as nexus:
        told(limited(store_at(free_port()), 50, nexus.base_url))
        assert len(nexus.asked) == 1


REFUSED = {
    "a wrong password": ({"password": Secret("wrong-canary-51")}, "does not take the user and the password"),
    "no password": ({"password": Secret("")}, "does not take the user and the password"),
    "an unknown user": ({"user": "nobody"}, "does not take the user and the password"),
    "no such database": ({"db": 99}, "has no database of that number"),
    "a user without rights": ({"user": "weak", "password": Secret("weak-canary-62")}, "does not let its user change keys"),
}


@pytest.mark.parametrize("told", [_told, lambda found: asyncio.run(_told_async(found))], ids=["worker", "triggerer"])
@pytest.mark.parametrize(("fields", "words"), REFUSED.values(), ids=REFUSED)
def test_what_the_store_refuses_for_good_is_an_error(
    server: RedisServer, fields: dict[str, Any], words: str, told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.run("ACL SETUSER weak on >weak-canary-62 ~other-* +@all")
    with SocketServer(answer(b"{}")) as nexus:
        with pytest.raises(NexusConfigurationError, match=words) as caught:
            told(limited(store_at(server.port, **fields), 50, nexus.base_url))
        assert nexus.asked == []
    assert "connection 'nexus_rate'" in str(caught.value)
    assert "canary" not in str(caught.value) + caplog.text
    assert caught.value.__context__ is None


def test_a_pause_does_not_hide_the_answer_behind_what_the_store_refuses(server: RedisServer, tmp_path: Path) -> None:
    limiter, _ = machines(tmp_path, limited(store_at(server.port, db=99), 50))
    limiter.pause(5)
    with pytest.raises(NexusConfigurationError, match="no database"):
        limiter.reserve()


def refusal(port: int) -> str:
    """What a server is refused with, which may have to come up before."""
    bucket = SharedBucket(store_at(port, password=Secret("")), "nexus-rate-x")
    for _ in range(200):
        rate_store._lost.clear()
        try:
            bucket.change(0, 1)
        except NexusConfigurationError as error:
            return str(error)
        time.sleep(0.1)
    pytest.fail("it was not refused")


def test_a_sentinel_is_refused(tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n")
    process = subprocess.Popen([find("redis-server", "redis-server"), str(config), "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        assert "runs no scripts, as a Sentinel does not: name the Redis itself" in refusal(port)
    finally:
        process.kill()
        process.wait()


def test_a_node_of_a_cluster_is_refused() -> None:
    with redis_server("--cluster-enabled", "yes") as one, redis_server("--cluster-enabled", "yes") as other:
        one.run("CLUSTER ADDSLOTSRANGE 0 16383")
        other.run(f"CLUSTER MEET 127.0.0.1 {one.port}")
        assert "is a node of a Redis Cluster: name a Redis that stands alone" in refusal(other.port)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("ACL SETUSER default resetpass nopass ~* -time", "does not let its user change keys"),
        ("SADD nexus-rate-x other", "another program has written: remove it"),
    ],
    ids=["a script that may not ask for the time", "a key of another kind"],
)
def test_what_the_script_is_refused(setting: str, words: str) -> None:
    with redis_server() as own:
        own.run(setting)
        assert words in refusal(own.port)


def _tls(port: int, ca: Path, *, checks_name: bool) -> SharedBucket:
    tls = (("ssl_cert_reqs", "required"), ("ssl_check_hostname", checks_name), ("ssl_ca_certs", str(ca)))
    return SharedBucket(store_at(port, password=Secret(""), tls=tls), "nexus-rate-tls")


@pytest.mark.parametrize(
    ("which", "checks_name", "is_taken"),
    [("sound", True, True), ("other", True, False), ("other", False, True), ("late", True, False)],
)
def test_certificates_are_checked(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, which: str, checks_name: bool, is_taken: bool
) -> None:
    given_out: Authority = request.getfixturevalue("authority")
    port, certificate = free_port(), str(getattr(given_out, which))
    files = ["--tls-cert-file", certificate, "--tls-key-file", certificate, "--tls-ca-cert-file", str(given_out.trusted)]
    with redis_server("--tls-port", str(port), *files, "--tls-auth-clients", "no"):
        assert (_tls(port, given_out.trusted, checks_name=checks_name).change(0, 1) > 0) is is_taken
    assert ("certificate verify failed" in caplog.text) is not is_taken


def test_the_rights_that_the_docs_give_are_enough(server: RedisServer) -> None:
    page = (Path(__file__).parents[2] / "docs" / "connection.rst").read_text()
    (rights,) = re.findall(r"``(ACL SETUSER [^`]+)``", page)
    server.run(rights)
    for db in (0, 1):
        store = store_at(server.port, user="nexus", password=Secret("the-password"), db=db)
        assert SharedBucket(store, "nexus-rate-rights").change(0, 1) > 0
        assert server.admin.script_flush()


def test_nothing_shows_the_password(server: RedisServer) -> None:
    store = store_at(server.port)
    bucket = SharedBucket(store, "nexus-rate-shown")
    bucket.change(0, 1)
    client = bucket._script.registered_client
    seen = [
        store,
        str(store),
        limited(store, 1),
        bucket,
        client,
        client.connection_pool,
        client.connection_pool.connection_kwargs,
    ]
    assert PASSWORD not in repr(seen)


def test_a_connection_that_was_not_read_is_refused() -> None:
    found = read_settings(token="t0ken", extra={"rate_limit": 1, "rate_limit_conn_id": "nexus_rate"})
    with pytest.raises(NexusConfigurationError, match="'nexus_rate', which was not read"):
        RateLimiter(found)


def test_the_library_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(NexusConfigurationError, match=r"pip install 'airflow-provider-nexus\[redis\]'"):
        RateLimiter(limited(store_at(1), 1))
