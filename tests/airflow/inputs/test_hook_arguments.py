"""What the hook can't do as asked it refuses at once, and does what it says otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPMethod
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pendulum
import polars as pl
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusUnknownResourceError, NexusWindowError
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.load.frames import data_frame
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.inputs.serving import asked, serving
from tests.airflow.nexus import connection


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=12, transactions=120, days=2, clock_speed=0) as running, connection(running):
        yield running


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resource": "orders", "filters": {"status": ["New", "Active"]}}, "takes one value: ask once for each"),
        ({"resource": "orders", "filters": {"status": {"New"}}}, "takes one value: ask once for each"),
        ({"resource": "orders", "filters": {"status": None}}, "would let all records through"),
        ({"resource": "orders", "filters": {"status": ""}}, "would let all records through"),
        ({"resource": "orders", "filters": {"status": "None"}}, "would let all records through"),
        (
            {"resource": "orders", "filters": {"statsu": "New"}},
            "did you mean 'status'[?] Any query can be sent with NexusHook.run$",
        ),
        ({"resource": "orders", "filters": {"createdFrom": "2026-01-01"}}, "bounds the window: give start and end"),
        ({"resource": "orders", "filters": {"CREATEDTILL": "2026-01-01"}}, "bounds the window: give start and end"),
        ({"resource": "orders", "filters": {"limit": 5}}, "belongs to the walk through the pages"),
        ({"resource": "orders", "filters": {"sortBy": "amount"}}, "belongs to the walk through the pages"),
        ({"resource": "orders", "filters": "status=New"}, "give a dictionary"),
        ({"resource": "orders", "filters": {"status": "New", "Status": "Active"}}, "filters has both 'status' and 'Status'"),
        ({"resource": "orders", "filters": {"STATUS": "New", "status": "New"}}, "filters has both 'STATUS' and 'status'"),
        ({"resource": "orders", "start": "2026-02-01", "end": "2026-01-01"}, "not after its start"),
        ({"resource": "orders", "start": "2026-02-01", "end": "2026-02-01"}, "not after its start"),
        ({"resource": "orders", "start": ""}, "start: '' is|start: '', is"),
        ({"resource": "orders", "start": "None"}, "start: 'None'"),
        ({"resource": "orders", "end": "{{ ds }}"}, "end: "),
        ({"resource": "balances", "start": "2026-01-01"}, "balances has no window"),
        ({"resource": "customer_persons", "parent": "C1", "end": "2026-01-01"}, "customer_persons has no window"),
        ({"resource": "customer_persons"}, "belong to one of customers: give its code as parent"),
        ({"resource": "prices"}, "belong to one of currencies: give its code as parent"),
        ({"resource": "customer_persons", "parent": None}, "the parent is None"),
        ({"resource": "customer_persons", "parent": "None"}, "what a template makes of a missing value"),
        ({"resource": "customer_persons", "parent": ["C1", "C2"]}, "a list, and a code is text: give one code"),
        ({"resource": "orders", "parent": "C1"}, "belong to no other record"),
        ({"resource": ["orders"]}, "unknown Nexus resource"),
        ({"resource": "orders", "limit": -1}, "limit is -1: give a whole number"),
        ({"resource": "orders", "limit": "10"}, "limit is '10': give a whole number"),
        ({"resource": "orders", "limit": True}, "limit is True"),
        ({"resource": "orders", "page_size": 0}, "page_size is 0: give a whole number, 1 or more"),
        ({"resource": "orders", "settle_lag": -1}, "settle_lag is -1"),
        ({"resource": "orders", "settle_lag": "300"}, "settle_lag is '300'"),
    ],
)
@pytest.mark.parametrize("method", ["iter_records", "get_df"])
def test_what_can_not_be_done_is_refused_before_anything_is_read(method: str, arguments: dict[str, Any], said: str) -> None:
    with serving() as server:
        with pytest.raises((NexusConfigurationError, NexusWindowError, NexusUnknownResourceError), match=said):
            getattr(NexusHook(), method)(**arguments)  # iter_records too: without a step of the iterator
        assert not server.asked


def test_limit_is_the_number_of_records(sandbox: Sandbox) -> None:
    hook = NexusHook()
    for limit in (0, 1, 10, 119, 120, 1000):
        found = list(hook.iter_records("transactions", limit=limit, page_size=7))
        assert len(found) == min(limit, 120)
    first = [record["transactionCode"] for record in hook.iter_records("transactions", limit=10)]
    assert first == [record["transactionCode"] for record in hook.iter_records("transactions")][:10]


def test_filters_take_moments_flags_and_numbers() -> None:
    with serving() as server:
        moment = pendulum.datetime(2026, 1, 31, 1, tz="Europe/Amsterdam")
        list(
            NexusHook().iter_records(
                "customer_bank_accounts", parent="C1", filters={"createdStartDate": moment, "isPrimary": True}
            )
        )
        assert asked(server, "createdStartDate") == {"2026-01-31T00:00:00Z"}
        assert asked(server, "isPrimary") == {"true"}


def test_what_is_not_settled_is_left_for_the_next_load(sandbox: Sandbox) -> None:
    """Two loads that go on where the first ended bring each record once, also those that appear late."""
    hook, now = NexusHook(), sandbox.now
    lag = timedelta(minutes=5)
    whole = list(hook.iter_records("transactions"))
    assert len(whole) == len(sandbox.truth("transactions", None, now - lag))
    ends: dict[str, Any] = {"end": now + timedelta(days=1)}
    assert len(list(hook.iter_records("transactions", **ends))) == len(whole)
    assert len(list(hook.iter_records("transactions", settle_lag=0))) == len(sandbox.truth("transactions", None, now))
    assert list(hook.iter_records("transactions", start=now - timedelta(minutes=1))) == []


def test_a_window_that_has_just_ended_is_waited_for(sandbox: Sandbox) -> None:
    waits: list[float] = []
    hook = NexusHook()
    wanted = RecordsWanted(resource=get_resource("transactions"), end=sandbox.now - timedelta(seconds=60), settle_lag=300)
    list(wanted.rows(hook.client, hook.log, waits.append))
    assert [round(wait) for wait in waits] == [240]


def test_a_moving_future_end_does_not_fail() -> None:
    """Records come in while the walk is on: an end in the future is cut, so they are not part of what is counted."""
    with Sandbox(customers=5, transactions=50, days=1, arrivals_per_hour=3600, clock_speed=200) as sandbox, connection(sandbox):
        began = sandbox.now
        found = list(NexusHook().iter_records("transactions", end=sandbox.now + timedelta(days=2), page_size=5))
        assert len(found) >= len(sandbox.truth("transactions", None, began - timedelta(minutes=5)))


@pytest.mark.parametrize("df_type", ["pandas", "polars"])
def test_data_frames_keep_every_digit(sandbox: Sandbox, df_type: Any) -> None:
    records = list(NexusHook().iter_records("transactions"))
    frame = NexusHook().get_df("transactions", df_type=df_type)
    amounts = [record["requestedAmounts"]["cryptoAmount"] for record in records]
    column = frame["requested_amounts_crypto_amount"]
    found = column.tolist() if df_type == "pandas" else column.to_list()
    assert [None if value is None else Decimal(value) for value in found] == amounts
    stamps = frame["created"].tolist() if df_type == "pandas" else frame["created"].to_list()
    assert [pendulum.instance(stamp) for stamp in stamps] == [record["created"] for record in records]
    assert isinstance(frame, pd.DataFrame if df_type == "pandas" else pl.DataFrame)
    assert "_raw_extra" in frame.columns
    assert "_key" not in frame.columns


def test_frames_of_nothing_have_their_columns() -> None:
    with serving():
        for df_type in ("pandas", "polars"):
            frame = NexusHook().get_df("orders", df_type=df_type)
            assert (len(frame), "order_code" in frame.columns) == (0, True)
    with pytest.raises(NexusConfigurationError, match="give 'pandas' or 'polars'"):
        NexusHook().get_df("orders", df_type="spark")  # type: ignore[arg-type]


@pytest.mark.parametrize("df_type", ["pandas", "polars"])
def test_a_year_that_nanoseconds_do_not_hold(df_type: Any) -> None:
    raw = b'{"orderCode": "A", "created": "0001-01-01T00:00:00Z", "amount": 1.10, "finished": "9999-12-31T23:59:59Z"}'
    entry = get_resource("orders")
    frame = data_frame(entry, [RowReader(entry).read(raw)], df_type, lambda path, _: pytest.fail(path))
    assert [str(frame[name][0])[:19] for name in ("created", "finished")] == ["0001-01-01 00:00:00", "9999-12-31 23:59:59"]
    assert Decimal(frame["amount"][0]) == Decimal("1.10")


def test_a_start_at_the_very_beginning_of_the_calendar() -> None:
    with serving() as server:
        assert list(NexusHook().iter_records("orders", start="0001-01-01")) == []
        assert asked(server, "createdFrom") == {"0001-01-01T00:00:00Z"}


def test_plain_records_hold_every_digit_and_survive_json(sandbox: Sandbox) -> None:
    hook = NexusHook()
    plain = list(hook.iter_records("transactions", limit=20, plain=True))
    typed = list(hook.iter_records("transactions", limit=20))
    assert json.loads(json.dumps(plain)) == plain
    for each, record in zip(plain, typed, strict=True):
        assert each["requestedAmounts"]["cryptoAmount"] == str(record["requestedAmounts"]["cryptoAmount"])
        assert pendulum.parse(each["created"]) == record["created"]
    code = plain[0]["transactionCode"]
    assert hook.get_record("transactions", code, plain=True)["created"] == plain[0]["created"]
    assert json.dumps(hook.run("GET", f"/transactions/custodian/{code}", plain=True))


def test_the_beginning_of_time_and_now() -> None:
    with serving() as server:
        list(NexusHook().iter_records("orders"))
        bounds = sorted(asked(server, "createdFrom"))
        assert bounds == ["1999-12-31T23:59:59Z"]
        until = datetime.fromisoformat(max(asked(server, "createdTill")))
        assert until <= datetime.now(UTC) - timedelta(minutes=4)


@pytest.mark.parametrize(
    "value", ["{{ 1 }}", "", "x", "None", -1, True, False, float("nan"), float("inf"), [], {}, b"5", 10**400]
)
@pytest.mark.parametrize("name", ["timeout", "retries"])
def test_what_is_no_number_of_tries_or_seconds_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=f"^{name} is .*: give a number from [01] to (10|600)$"):
        NexusHook(**{name: value})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"retries": 1.5}, "^retries is 1.5: give a whole number$"),
        ({"retries": "1.5"}, "^retries is '1.5': give a whole number$"),
        ({"retries": 11}, "^retries is 11: give a number from 0 to 10$"),
        ({"timeout": 0}, "^timeout is 0: give a number from 1 to 600$"),
        ({"timeout": "0.5"}, "^timeout is '0.5': give a number from 1 to 600$"),
        ({"timeout": 601}, "^timeout is 601: give a number from 1 to 600$"),
    ],
)
def test_what_no_connection_could_have_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(NexusConfigurationError, match=said):
        NexusHook(**arguments)


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        ({}, (30.0, 1)),
        ({"timeout": None, "retries": None}, (30.0, 1)),
        ({"timeout": "5", "retries": "1"}, (5.0, 1)),
        ({"timeout": Decimal("1.5"), "retries": 0}, (1.5, 0)),
        ({"timeout": " 600 ", "retries": 10.0}, (600.0, 10)),
    ],
)
def test_numbers_are_read_as_those_of_a_connection(
    sandbox: Sandbox,
    arguments: dict[str, Any],
    understood: tuple[float, int],
) -> None:
    settings = NexusHook(**arguments).settings
    assert (settings.timeout, settings.retries) == understood
    assert [type(settings.timeout), type(settings.retries)] == [float, int]


@pytest.mark.parametrize(
    "method", [None, "", " ", "FETCH", "OPTIONS", "TRACE", "CONNECT", "None", "GET,POST", "{{ x }}", 1, b"GET"]
)
def test_a_method_that_is_none_is_refused_before_anything_is_sent(method: Any) -> None:
    with serving() as server:
        with pytest.raises(NexusConfigurationError, match=r"^method is .*: give one of GET, HEAD, POST, PUT, PATCH, DELETE"):
            NexusHook().run(method, "/orders")
        assert not server.asked


@pytest.mark.parametrize("method", ["get", " Get ", HTTPMethod.GET, "HEAD"])
def test_a_method_in_any_spelling(method: Any) -> None:
    with serving() as server:
        NexusHook().run(method, "/orders")
        assert [each.method for each in server.asked] == [method.strip().upper()]
