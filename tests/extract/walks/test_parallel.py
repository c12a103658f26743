"""A window that is read in sub-windows side by side is delivered as it is one after another, or called unproved."""

from __future__ import annotations

import json
import logging
import threading
import time
import tracemalloc
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusPermissionError
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.extract.checkpoint import FOLDER
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all
from airflow_provider_nexus.extract.source import Page, Source
from airflow_provider_nexus.extract.walks import parallel as parallel_walk
from airflow_provider_nexus.extract.walks.parallel import NAME, parts_of
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.sandbox import Sandbox
from tests.client.serving import QUICK
from tests.client.socket_server import Asked, Reply, SocketServer, answer
from tests.extract.test_checkpoint import attempt, broken, checkpoint_of, day, stored
from tests.extract.walks.test_on_any_server import CHURN, PLAIN, SETTINGS, outcome
from tests.repeated import times

EXAMPLES = times(8, 30)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
SPAN = Window(START, END)
LIMIT = 10


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=40, transactions=300, days=2, clock_speed=0, amounts="awkward") as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert NAME not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting(sandbox: Sandbox, name: str) -> None:
    changes = SETTINGS[name] | ({"tie_seconds": 1800} if name == "ties beyond a page" else {})
    result = outcome(sandbox, changes, "transactions", 7, parallel=3)
    result.check()
    lies = changes.get("total_error")
    assert (result.proof.verdict is Verdict.UNPROVED) == bool(lies), result.proof
    if not lies and name not in ("deleted rows", "late rows"):
        assert result.rows == result.before
        alone = outcome(sandbox, changes, "transactions", 7)
        assert (alone.given, alone.rows, alone.proof) == (result.given, result.rows, result.proof)


@pytest.mark.servers
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.fixed_dictionaries(
        {
            "seed": st.integers(1, 5),
            "sort": st.sampled_from(["honoured", "honoured", "honoured", "ignored"]),
            "since_inclusive": st.booleans(),
            "until_inclusive": st.booleans(),
            "max_limit": st.sampled_from([None, 5]),
            "ties": st.sampled_from(["stable", "shuffled"]),
            "tie_seconds": st.sampled_from([0, 60, 600]),
            "total_error": st.sampled_from([0, 0, 0, 0, 1, -1]),
            "filters": st.sampled_from(["honoured", "honoured", "honoured", "honoured", "ignored"]),
        }
    ),
    churn=CHURN,
    resource=st.sampled_from(["transactions", "broker_transactions", "transfers"]),
    page_size=st.sampled_from([5, 10]),
    parallel=st.sampled_from([2, 5, 16]),
)
def test_random_servers(
    sandbox: Sandbox, base: dict[str, Any], churn: dict[str, Any], resource: str, page_size: int, parallel: int
) -> None:
    result = outcome(sandbox, {**base, **churn}, resource, page_size, parallel)
    result.check()
    if not churn and not base["total_error"]:
        assert result.proof.is_complete, result.proof
        assert result.rows == result.before


class Served:
    """A server of transactions, and what it was asked.

    :param stamps: of its records
    :param odd: gives another answer than it should, where it gives one
    """

    def __init__(self, stamps: list[datetime], odd: Callable[[Query], Reply | None] = lambda _: None) -> None:
        self.stamps = [f"{stamp:%FT%TZ}" for stamp in sorted(stamps)]
        self.odd, self.lock, self.asked = odd, threading.Lock(), list[Query]()
        self.raw = [record(stamp, f"T{number:06}") for number, stamp in enumerate(self.stamps)]

    def __call__(self, asked: Asked) -> Reply:
        query = Query(asked)
        with self.lock:
            self.asked.append(query)
            return self.odd(query) or self.page(query)

    def page(self, query: Query, raw: list[bytes] | None = None, total: int = 0) -> bytes:
        low, high = bisect_left(self.stamps, query.since), bisect_left(self.stamps, query.until)
        rows = raw if raw is not None else self.raw[low:high][(query.number - 1) * query.limit :][: query.limit]
        values = b'{"page":1,"total":%d,"totalPages":1,"records":[%b]}' % (total or high - low, b",".join(rows))
        return answer(b'{"errors":null,"values":%b}' % values, Date="Fri, 02 Jan 2026 03:04:05 GMT")


class Query:
    """What a page was asked for by."""

    def __init__(self, asked: Asked) -> None:
        found = {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}
        self.since, self.until, self.limit = found["createdFrom"], found["createdTill"], int(found["limit"])
        self.number, self.key, self.at = int(found["page"]), asked.headers["authorization"], time.monotonic()

    @property
    def is_to_the_end(self) -> bool:
        """Whether it goes to the end of the window, as all calls do of a reading that reads one after another."""
        return self.until > f"{END:%FT%T}"


def record(stamp: str, code: str) -> bytes:
    return json.dumps({"transactionCode": code, "created": stamp, "status": "COMPLETED"}, separators=(",", ":")).encode()


def spread(number: int) -> list[datetime]:
    return [START + timedelta(seconds=86_400 * place // number) for place in range(number)]


def read(by: Callable[[Asked], Reply], *, parallel: int = 4, **extra: Any) -> tuple[Proof, list[bytes]]:
    """What is read, and the records."""
    with source_of(by, **extra) as (source, _):
        rows = read_all(reading := Reading(source, SPAN, parallel=parallel))
    return reading.proof, [row.raw for row in rows]


@contextmanager
def source_of(
    by: Callable[[Asked], Reply],
    refresh: Callable[[str], ClientSettings] | None = None,
    page_size: int | None = LIMIT,
    on_page: Callable[[Page], None] = lambda _: None,
    **extra: Any,
) -> Iterator[tuple[Source, SocketServer]]:
    """The transactions of a server.

    :param refresh: address of the server -> the connection as it is by now
    """
    with SocketServer(by=by) as server:
        again = partial(refresh, server.base_url) if refresh else None
        session = NexusSession(read_settings(token="old", host=server.base_url, extra=extra), policy=QUICK, refresh=again)
        try:
            yield Source(NexusClient(session), get_resource("transactions"), page_size=page_size, on_page=on_page), server
        finally:
            session.close()


def refused(status: int, **headers: str) -> bytes:
    return answer(b'{"errors":["No"],"message":"no","values":null}', status, **headers)


def test_calls_are_made_at_once() -> None:
    """A call of each of four waits for those of the others."""
    gate, served = threading.Barrier(4, timeout=20), Served(spread(1000))

    def by(asked: Asked) -> Reply:
        reply = served(asked)
        if 2 <= len(served.asked) <= 5:
            gate.wait()
        return reply

    with source_of(by) as (source, server):
        rows = read_all(reading := Reading(source, SPAN, parallel=4))
        assert source.client.session.calls == len(served.asked)
    assert reading.proof.verdict is Verdict.PROVED
    assert [row.raw for row in rows] == served.raw
    assert server.connections == 5


def test_records_that_lie_close_together_are_read_at_once_all_the_same() -> None:
    """All of them are of ten minutes, behind one that is a day older."""
    served = Served([START, *(END - timedelta(seconds=600 - each) for each in range(599))])
    proof, raw = read(served)
    assert (proof.verdict, raw) == (Verdict.PROVED, served.raw)
    ends = {query.until for query in served.asked if query.until > f"{END - timedelta(seconds=600):%FT%T}"}
    assert len(ends) >= 4


@pytest.mark.parametrize("what", ["sorting", "filter", "count", "contradiction"])
def test_doubt_in_one_is_doubt_in_all(what: str) -> None:
    def odd(query: Query) -> Reply | None:
        is_it = "T12" < query.since[10:] < "T18" if what != "count" else query.since[10:] == "T11:59:59Z"
        if not is_it or query.is_to_the_end or (query.limit == 1) != (what == "count") or len(told) > (what == "filter"):
            return None
        told.append(len(served.asked))
        if what in ("count", "contradiction"):
            return served.page(query, total=1000 if what == "count" else 1)
        low = bisect_left(served.stamps, query.since)
        return served.page(query, served.raw[-LIMIT:] if what == "filter" else served.raw[low : low + LIMIT][::-1])

    served, told = Served(spread(600), odd), list[int]()
    proof, raw = read(served)
    assert (proof.verdict, raw) == (Verdict.PROVED, served.raw)
    strategy = {"sorting": "bisect", "filter": "guarded"}.get(what, "seek")
    assert (proof.strategy, proof.readings) == (strategy, 1 if what in ("sorting", "filter") else 2)
    if strategy == "seek":
        assert len(proof.reasons) == 1
        last = max(place for place, query in enumerate(served.asked) if not query.is_to_the_end)
        assert len(served.asked) - last > 60, "the reading after it is one after another"


def test_a_record_that_two_of_them_have_proves_nothing() -> None:
    """It was moved while they read: each of them is right by its own count, and so is the whole."""

    def odd(query: Query) -> Reply | None:
        if query.is_to_the_end or query.limit == 1:
            return None
        low, high = bisect_left(served.stamps, query.since), bisect_left(served.stamps, query.until)
        rows = served.raw[low:high][: query.limit]
        return served.page(query, [row.replace(b"T000320", b"T000170") for row in rows])

    served = Served(spread(600), odd)
    proof, raw = read(served)
    assert (proof.verdict, proof.readings, raw) == (Verdict.PROVED, 2, served.raw)
    assert "came under another record's key" in proof.reasons[0]


def test_a_failure_comes_out_as_it_is_and_ends_all() -> None:
    served = Served(spread(4000), lambda query: refused(403) if "T12:" < query.since[10:] < "T13:" else None)
    with pytest.raises(NexusPermissionError, match="HTTP 403"):
        read(served)
    assert len(served.asked) < 300


def interrupted(reading: Reading) -> None:
    """What a signal does that ends the task with the second group."""
    with closing(reading.rows()) as batches:
        for number, _ in enumerate(batches):
            if number:
                raise KeyboardInterrupt


def test_what_ends_a_task_ends_calls_that_are_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    """The server leaves all but the first sub-window without an answer."""
    released, waiting = threading.Event(), list[Query]()

    def by(asked: Asked) -> Reply:
        query = Query(asked)
        if query.since > "2026-01-01T05":
            waiting.append(query)
            assert released.wait(60)
        elif len(served.asked) > 1:
            while len(waiting) < 3:
                time.sleep(0.01)
        return served(asked)

    served = Served(spread(600))
    with source_of(by) as (source, _):
        with pytest.raises(KeyboardInterrupt):
            interrupted(Reading(source, SPAN, parallel=4))
        assert NAME not in [thread.name for thread in threading.enumerate()]
        assert len(waiting) == 3
        assert not caplog.messages, "nothing is tried again"
        released.set()


def test_a_pause_is_for_all() -> None:
    """One is told to wait two seconds, and the answers of the others come when the log has it: none of them calls before."""
    told, known = list[float](), list[float]()

    class Known(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            known.append(time.monotonic())

    def by(asked: Asked) -> Reply:
        if len(served.asked) >= 20 and not told:
            told.append(time.monotonic())
            return refused(429, Retry_After="2")
        reply = served(asked)
        while told and not known:
            time.sleep(0.01)
        return reply

    served, log, handler = Served(spread(1000)), logging.getLogger("airflow_provider_nexus"), Known(logging.WARNING)
    log.addHandler(handler)
    try:
        proof, _ = read(by, parallel=4)
    finally:
        log.removeHandler(handler)
    assert proof.verdict is Verdict.PROVED
    on_their_way = [query for query in served.asked if known[0] < query.at < told[0] + 2]
    assert len(on_their_way) <= 3


def test_the_rate_limit_is_one_for_all() -> None:
    served = Served(spread(900))
    proof, _ = read(served, parallel=8, rate_limit=40)
    assert proof.verdict is Verdict.PROVED
    moments = [query.at for query in served.asked]
    assert len(moments) > 100
    for first in range(len(moments)):
        span = moments[first:]
        for number, moment in enumerate(span, 1):
            assert number <= 40 + 40 * (moment - moments[first]) + 8  # as many can be on their way


def test_a_new_key_is_read_where_the_walk_was_begun() -> None:
    """As the connection is read through Airflow, which other threads have no part in."""
    asked_in: list[threading.Thread] = []
    served = Served(spread(900))

    def odd(query: Query) -> Reply | None:
        return refused(401) if len(served.asked) > 30 and query.key == "Bearer old" else None

    served.odd = odd

    def refresh(base_url: str) -> ClientSettings:
        asked_in.append(threading.current_thread())
        return read_settings(token="new", host=base_url)

    proof, raw = read(served, refresh=refresh)
    assert (proof.verdict, raw) == (Verdict.PROVED, served.raw)
    assert {*asked_in} == {threading.current_thread()}
    assert len(asked_in) == 5


def test_when_too_much_waits_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first sub-window is answered when nobody has asked for anything else for a while."""
    monkeypatch.setattr(parallel_walk, "_ROOM", 500)
    ahead: list[int] = []

    def by(asked: Asked) -> Reply:
        query = Query(asked)
        if query.since > f"{START:%FT%T}" and query.until < f"{START + timedelta(hours=4):%FT%T}" and not ahead:
            number = -1
            while number != len(served.asked):
                number = len(served.asked)
                time.sleep(0.5)
            ahead.append(number)
        return served(asked)

    served = Served(spread(1000))
    proof, raw = read(by, parallel=2)
    assert (proof.verdict, raw) == (Verdict.PROVED, served.raw)
    assert ahead[0] < 40
    assert len(served.asked) > 100


def test_a_task_that_ends_while_it_reads_a_new_key() -> None:
    served = Served(spread(900))
    served.odd = lambda _: refused(401) if len(served.asked) > 30 else None

    def refresh(_: str) -> ClientSettings:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(served, refresh=refresh)


def test_what_is_read_ahead_waits_packed() -> None:
    """The first sub-window is answered when all others are read: four megabytes of records by then."""
    served = Served(spread(5000))
    served.raw = [raw[:-1] + b',"x":"%b"}' % (b"y" * 1000) for raw in served.raw]
    rest = threading.Event()

    def by(asked: Asked) -> Reply:
        query = Query(asked)
        if query.since > f"{START:%FT%T}" and query.until < f"{START + timedelta(hours=7):%FT%T}":
            assert rest.wait(60)
        return served(asked)

    pages = [0]

    def on_page(page: Page) -> None:
        pages[0] += len(page.rows)
        if pages[0] > 3900:
            rest.set()

    with source_of(by, page_size=100, on_page=on_page) as (source, _):
        tracemalloc.start()
        reading = Reading(source, SPAN, parallel=2)
        records = sum(map(len, reading.rows()))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (reading.proof.verdict, records) == (Verdict.PROVED, 5000)
    assert peak < 3_000_000, peak


@pytest.mark.parametrize(
    ("total", "on_page", "most", "rate", "found"),
    [
        (4999, 100, None, None, (1, 0)),
        (5000, 100, None, None, (4, 4)),
        (5000, 100, None, 2.5, (2, 4)),
        (5000, 100, None, 0.5, (1, 0)),
        (10**6, 100, None, 100.0, (4, 200)),
        (10**18, 100, None, None, (4, 10_000)),
        (10**6, 100, 1, None, (1, 0)),
        (10**6, 100, 16, 2.5, (16, 200)),
        (80_000, 100, 4, None, (4, 16)),
        (5000, 100, 16, None, (12, 12)),
        (5000, 500, None, None, (2, 2)),
        (20_000, 100, 8, None, (8, 16)),
        (20_000, 500, 8, None, (8, 8)),
        (799, 100, 8, None, (1, 0)),
        (800, 100, 8, None, (2, 2)),
    ],
)
def test_how_many_are_worth_it(total: int, on_page: int, most: int | None, rate: float | None, found: tuple[int, int]) -> None:
    extra = {} if rate is None else {"rate_limit": rate}
    session = NexusSession(read_settings(token="t", host="http://127.0.0.1:1", extra=extra))
    source = Source(NexusClient(session), get_resource("transactions"))
    first = Page([Row("2026-01-01T06:00:00", f"K{each}", b"{}") for each in range(on_page)], total, None)
    threads, parts = parts_of(source, START, END, first, most)
    assert (threads, len(parts)) == found
    if parts:
        assert (parts[0].start, parts[-1].end) == (START, END)
        assert all(one.end == two.start for one, two in pairwise(parts))
        assert parts[0].end > START + timedelta(hours=6), "a part of its own for a time without records is of no use"


def test_too_few_seconds_for_as_many_parts() -> None:
    source = Source(NexusClient(NexusSession(read_settings(token="t", host="http://127.0.0.1:1"))), get_resource("transactions"))
    last = Page([Row("2026-01-01T23:59:59", "K", b"{}")], 10**6, None)
    assert parts_of(source, START, END, last, 8) == (1, [SPAN])
    assert parts_of(source, START, END, Page([Row("2026-01-02T00:00:00", "K", b"{}")], 10**6, None), 8) == (1, [])


class TestCheckpoints:
    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jsonl, "PART_RECORDS", 12)

    @pytest.mark.parametrize("resource", ["transactions", "broker_transactions"])
    def test_gone_on_with(self, sandbox: Sandbox, tmp_path: Path, resource: str) -> None:
        """Whatever had been given out in order when it broke is gone on from, side by side again."""
        sandbox.configure(**{**PLAIN, "other_shapes": ("transaction_sort",), "late_share": 0.0, "delete_share": 0.0})
        sandbox.reset()
        options: dict[str, Any] = {"resource": resource, "page_size": 5, "parallel": 3, "requested": day(sandbox)}
        attempt(sandbox, tmp_path / "plain", staged=False, **{**options, "parallel": 1})
        calls = attempt(sandbox, tmp_path / "parallel", staged=False, **options)["calls"]
        expected, gone_on = stored(tmp_path / "plain"), 0
        assert stored(tmp_path / "parallel") == expected
        for at in range(8, calls, 13):
            folder = tmp_path / str(at)
            broken(sandbox, folder, at, **options)
            gone_on += checkpoint_of(folder) is not None
            attempt(sandbox, folder, **options)
            assert stored(folder) == expected, f"broken at call {at}"
            assert not (folder / FOLDER).exists() or not any((folder / FOLDER).iterdir())
        assert gone_on
