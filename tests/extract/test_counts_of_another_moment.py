"""A server that asks its store for the page first and for the count afterwards, while records come and go in between.

It knows nothing of the code under test: a socket that sorts, filters and cuts by what the API documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.envelope import records
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.find import Search
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.totals import totals_of
from airflow_provider_nexus.extract.window import Window
from tests.extract.serving import QUICK

START = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = Window(START, START + timedelta(minutes=30))
RIGHT = object()
WAYS = ["sorted", "unsorted", "no window"]


class Store:
    """Records by key, and what befalls them between the query and the count of an answer."""

    def __init__(self, seconds: list[int], *, cap: int, way: str = "sorted", exclusive: bool = False) -> None:
        self.rows = {f"K{n:04}": START + timedelta(seconds=each) for n, each in enumerate(seconds)}
        self.cap, self.way, self.exclusive = cap, way, exclusive
        self.between: Callable[[int, list[str]], None] = lambda call, page: None
        self.total: Any = RIGHT
        self.calls = 0
        self.note = False
        """Whether each record bears a reference, and the number of the answer that it stands in."""
        self.created = 0

    def answer(self, query: dict[str, str]) -> bytes:
        self.calls += 1
        limit = min(int(query["limit"]), self.cap)
        start = (int(query["page"]) - 1) * limit
        page = self.matching(query)[start : start + limit]
        shown = [{"transactionCode": key, "customerCode": key, "created": f"{self.rows[key]:%FT%TZ}"} for key in page]
        for record in shown if self.note else ():
            record |= {"label": "R1", "answer": str(self.calls)}
        self.between(self.calls, page)
        total = len(self.matching(query)) if self.total is RIGHT else self.total
        return json.dumps({"values": {"records": shown, "total": total, "totalPages": 1}, "errors": None}).encode()

    def matching(self, query: dict[str, str]) -> list[str]:
        bounds = [datetime.fromisoformat(query[name]) for name in ("createdFrom", "createdTill") if name in query]
        keys = sorted(self.rows, key=lambda key: (self.rows[key], key), reverse=self.way == "unsorted")
        if len(bounds) < 2:
            return keys
        low, high = bounds
        return [key for key in keys if low <= self.rows[key] < high and not (self.exclusive and self.rows[key] == low)]

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            self.rows.pop(key, None)

    def create(self, second: int) -> None:
        self.created += 1
        self.rows[f"N{self.created:04}"] = START + timedelta(seconds=second)


class _Handler(BaseHTTPRequestHandler):
    store: ClassVar[Store]
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one packet

    def do_GET(self) -> None:
        body = self.store.answer(dict(parse_qsl(urlsplit(self.path).query)))
        self.send_response_only(200)
        for name, value in (("Date", formatdate(usegmt=True)), ("Content-Type", "application/json")):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is told."""


@contextmanager
def served(store: Store) -> Iterator[NexusClient]:
    handler = type("Handler", (_Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    session = NexusSession(read_settings(token="t", host=f"http://127.0.0.1:{server.server_port}", extra={}), policy=QUICK)
    try:
        yield NexusClient(session)
    finally:
        session.close()
        server.shutdown()
        server.server_close()


def read(store: Store) -> tuple[Proof, list[str]]:
    windowed = store.way != "no window"
    with served(store) as client:
        source = Source(client, get_resource("transactions" if windowed else "customers"))
        reading = Reading(source, SPAN if windowed else None)
        rows = read_all(reading)
    return reading.proof, [row.key for row in rows]


def check(proof: Proof, given: list[str], before: set[str], after: set[str]) -> None:
    assert len(given) == len(set(given))
    if proof.is_complete:
        assert not (before & after) - set(given), proof
    else:
        assert proof.reasons


SHAPES = {
    "one a minute": [60 * n for n in range(30)],
    "all in one second": [600] * 30,
    "three a second": [600 + n // 3 for n in range(30)],
    "the last second crowded": [*range(10), *[600] * 20],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gone", [1, 5, 20])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_records_that_vanish_between_the_query_and_the_count(way: str, shape: str, gone: int, call: int) -> None:
    """With a cap of 30 - gone, the count then says that a page is the whole, and page 2 is empty."""
    store = Store(SHAPES[shape], cap=30 - gone, way=way)
    store.between = lambda now, page: store.delete(page[:gone]) if now == call else None
    before = set(store.rows)
    proof, given = read(store)
    check(proof, given, before, set(store.rows))
    assert proof.is_complete, proof


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_server_where_records_vanish_at_every_answer_is_not_believed_blindly(way: str, shape: str) -> None:
    store = Store(SHAPES[shape], cap=7, way=way)
    store.between = lambda _, page: store.delete(page[:1])
    before = set(store.rows)
    proof, given = read(store)
    check(proof, given, before, set(store.rows))


EVENT = st.tuples(st.integers(1, 12), st.integers(0, 4), st.integers(0, 2), st.integers(0, 700))


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.lists(st.sampled_from([0, 1, 2, 300, 600, 601]), min_size=1, max_size=16),
    cap=st.sampled_from([2, 5, 20]),
    way=st.sampled_from(WAYS),
    exclusive=st.booleans(),
    events=st.lists(EVENT, max_size=4),
)
def test_any_server_whose_count_is_of_another_moment(
    seconds: list[int], cap: int, way: str, exclusive: bool, events: list[tuple[int, int, int, int]]
) -> None:
    store = Store(seconds, cap=cap, way=way, exclusive=exclusive)

    def between(now: int, page: list[str]) -> None:
        for call, gone, created, second in events:
            if call == now:
                store.delete(page[:gone])
                for _ in range(created):
                    store.create(second)

    store.between = between
    before = set(store.rows)
    proof, given = read(store)
    check(proof, given, before, set(store.rows))


class Endless(Store):
    """Whatever is asked, the same page."""

    def matching(self, query: dict[str, str]) -> list[str]:
        return list(self.rows) * (1 + int(query["page"]) if query["limit"] != "1" else 1)


TOTALS = [10**12, 10**17, -1, "many", 2.5, True, None, 10**30, []]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("total", TOTALS, ids=repr)
def test_a_count_that_can_not_be_ends_the_walk(way: str, total: Any) -> None:
    store = Store(SHAPES["three a second"], cap=10, way=way)
    store.total = total
    proof, _ = read(store)
    assert proof.verdict is Verdict.UNPROVED
    assert proof.reasons
    assert store.calls < 400


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("total", [10**12, 10, 11])
def test_pages_without_end_that_bring_nothing_new_end_the_walk(way: str, total: int) -> None:
    store = Endless(SHAPES["three a second"][:10], cap=10, way=way)
    store.total = total
    proof, _ = read(store)
    assert proof.is_complete is (total == 10)  # as the one page holds it, over and over
    assert store.calls < 200


@pytest.mark.parametrize("text", ["1e999999999", "1e999999999999", "-1", "2.5", "true", '"x"', "9" * 5000, "null"])
def test_a_total_that_is_no_count_is_none(text: str) -> None:
    body = b'{"values":{"records":[],"total":%b,"totalPages":1},"errors":null}' % text.encode()
    assert records(get_resource("transactions"), body).total is None


@pytest.mark.parametrize("value", ["1e999999999", "-1", "2.5", "NaN", "Infinity", True, [], {}, "x"], ids=repr)
def test_totals_that_can_not_be_are_refused_at_once(value: Any) -> None:
    with pytest.raises(NexusDataError, match="transactionCount"):
        totals_of([{"status": "PAID", "currencyCode": "EUR", "transactionCount": value}], {})


@pytest.mark.parametrize("value", ["1e999999999", "NaN", True, [], "x"], ids=repr)
def test_sums_that_can_not_be_are_refused_at_once(value: Any) -> None:
    row = {"status": "PAID", "currencyCode": "EUR", "transactionCount": 1, "totalFee": value}
    with pytest.raises(NexusDataError, match="totalFee"):
        totals_of([row], {"totalFee": "fee"})


def read_agreeing(store: Store, readings: int) -> tuple[Proof, list[str]]:
    with served(store) as client:
        source = Source(client, get_resource("transactions" if store.way != "no window" else "customers"))
        reading = Reading(source, SPAN if store.way != "no window" else None, readings=readings)
        rows = read_all(reading)
    return reading.proof, [row.key for row in rows]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("readings", [1, 2, 3])
def test_a_quiet_server_is_read_as_often_as_asked(way: str, readings: int) -> None:
    proof, given = read_agreeing(Store(SHAPES["one a minute"], cap=7, way=way), readings)
    assert (proof.verdict, proof.readings, proof.agreeing, len(given)) == (Verdict.PROVED, readings, readings, 30)


@pytest.mark.parametrize("way", WAYS)
def test_readings_that_disagree_are_read_on_until_two_in_a_row_agree(way: str) -> None:
    store = Store(SHAPES["one a minute"], cap=100, way=way)
    store.between = lambda now, page: store.delete(page[-1:]) if now == 3 else None
    proof, given = read_agreeing(store, 2)
    assert (proof.is_complete, proof.agreeing) == (True, 2)
    assert proof.readings >= 2
    assert sorted(given) == sorted(store.rows)


def test_contents_that_change_at_every_answer_never_agree() -> None:
    store = Store(SHAPES["one a minute"], cap=100)
    store.note = True
    proof, _ = read_agreeing(store, 2)
    assert (proof.verdict, proof.readings) == (Verdict.UNPROVED, 6)
    assert "no 2 in a row" in proof.reasons[-1]
    assert read_agreeing(store, 1)[0].verdict is Verdict.PROVED


def test_the_carried_out_one_of_two_with_a_reference_is_found_though_a_page_holds_only_the_first() -> None:
    """The first failed; to believe that page would be to pay again."""
    store = Store([600, 601], cap=1)
    store.note = True
    with served(store) as client:
        search = Search(client=client, resource="transactions", reference="R1", place="label", by="label")
        found = search.find(START)
    assert [record["transactionCode"] for record in found] == ["K0000", "K0001"]
