"""A server that writes the token into a record: no error, no log line and no sentence for a person tells it."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.cli.check import Probe
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import (
    NexusDataError,
    NexusError,
    NexusStatusError,
    NexusUnprovedError,
    excerpt,
    without_secrets,
)
from airflow_provider_nexus.extract import totals
from airflow_provider_nexus.extract.records import RecordsWanted, warn_once
from airflow_provider_nexus.load.frames import data_frame
from airflow_provider_nexus.sync.job import Drift, check_contract
from tests.client.serving import session_for
from tests.client.socket_server import Asked, Reply, SocketServer, answer
from tests.client.test_secret import BEARER, ECHOES, SOME_ECHOES, TOKEN, everything, shown

SOUND: dict[str, Any] = {
    "orderCode": "O1",
    "created": "2026-01-02T03:04:05Z",
    "status": "OPEN",
    "action": "BUY",
    "amount": 1,
}
LOG = logging.getLogger("airflow_provider_nexus.tests")


def spoilt(said: str) -> dict[str, dict[str, Any]]:
    """Records that can't be read, each with what the server repeats at another place."""
    return {
        "money": {**SOUND, "amount": said},
        "time": {**SOUND, "created": said},
        "time, later": {**SOUND, "finished": said},
        "key of a record that can't be read": {**SOUND, "orderCode": f"{said} O1", "created": "never"},
        "object instead of a number": {**SOUND, "amount": {"a": [said]}},
        "name in an object": {**SOUND, "amount": {said: 1}},
        "list instead of text": {**SOUND, "status": [said]},
        "long text": {**SOUND, "amount": "x" * 290 + said},
        "very long text": {**SOUND, "amount": "x" * 16_370 + said},
    }


def serving(record: dict[str, Any]) -> Callable[[Asked], Reply]:
    """A server that has one order."""

    def by(asked: Asked) -> Reply:
        is_page = asked.target.partition("?")[0].rstrip("/").lower().endswith(("orders", "order"))
        page = {"page": 1, "total": 1, "totalPages": 1, "records": [record]}
        body = {"message": "ok", "errors": None, "values": page if is_page else record}
        return answer(json.dumps(body).encode(), Date="Fri, 02 Jan 2026 06:00:00 GMT")

    return by


def by_run(client: NexusClient) -> object:
    return client.run("GET", "/orders")


def by_record(client: NexusClient) -> object:
    return client.get_record("orders", "O1")


def by_iterating(client: NexusClient) -> object:
    return list(RecordsWanted(resource=get_resource("orders"), settle_lag=0).records(client, LOG))


def by_frame(client: NexusClient) -> object:
    rows = RecordsWanted(resource=get_resource("orders"), settle_lag=0).rows(client, LOG)
    return data_frame(get_resource("orders"), rows, "pandas", warn_once(get_resource("orders"), LOG))


WAYS = [by_run, by_record, by_iterating, by_frame]


@SOME_ECHOES
def test_no_error_of_a_record_tells(form: Callable[[str], str], caplog: pytest.LogCaptureFixture) -> None:
    raised = []
    for place, record in spoilt(form(BEARER)).items():
        for way in WAYS:
            with (
                caplog.at_level(logging.DEBUG),
                SocketServer(by=serving(record)) as server,
                session_for(server.base_url, token=TOKEN) as session,
            ):
                try:
                    way(NexusClient(session))
                except NexusError as error:
                    raised.append(error)
                    again = pickle.loads(pickle.dumps(error))
                    # the frames are those of the records themselves, which hold what the server wrote
                    texts = [f"{each} {each!r} {vars(each)}" for each in (error, again)]
                    assert shown("\n".join(texts)) == [], (place, way.__name__)
    assert sum(isinstance(error, NexusDataError) for error in raised) > len(spoilt("x"))
    assert shown("\n".join(f"{vars(record)} {record.getMessage()}" for record in caplog.records)) == []


@ECHOES
def test_no_error_that_speaks_of_records_tells(form: Callable[[str], str], caplog: pytest.LogCaptureFixture) -> None:
    said = form(BEARER)
    with session_for("http://127.0.0.1:1", token=TOKEN):
        errors = [
            NexusStatusError("orders", said, said, "and ended", said),
            NexusUnprovedError(f"it is {said}", (f"{said} came twice",)),
        ]
    with pytest.raises(NexusError) as caught:
        check_contract("freeze", "orders", Drift((said,), ()), LOG)
    errors.append(caught.value)
    with pytest.raises(NexusError) as caught:
        totals.totals_of([{"transactionCount": "9" * 70 + said}], {})
    errors.append(caught.value)
    with caplog.at_level(logging.DEBUG):
        check_contract("report", "orders", Drift((said,), (said,)), LOG)
    for error in errors:
        assert shown(everything(error).partition("Traceback")[0] + str(error) + str(vars(error))) == []
    assert "fields have changed" in caplog.text
    assert shown(caplog.text) == []


@ECHOES
def test_the_check_of_a_connection_does_not_tell(form: Callable[[str], str]) -> None:
    with (
        SocketServer(answer(json.dumps({"values": {"labelPartnerCode": form(TOKEN)}}).encode())) as server,
        session_for(server.base_url, token=TOKEN) as session,
    ):
        finding = next(iter(Probe(NexusClient(session)).findings()))
    assert finding.detail.startswith("sandbox")
    assert shown(finding.detail) == []


@pytest.mark.parametrize("value", [None, 1, True, "abc", {"a": [1]}, "é\ud800"])
def test_a_value_without_it_is_kept_as_it_came(value: object) -> None:
    with session_for("http://127.0.0.1:1", token=TOKEN):
        error = NexusDataError("orders", "O1", "amount", value, "a number")
    assert error.value is value
    assert repr(value).encode("unicode_escape").decode() in str(error) or repr(value) in str(error)


def test_a_long_value_is_cut() -> None:
    assert excerpt("x" * 500) == f"'{'x' * 299}..."
    assert excerpt("x" * 50_000) == f"'{'x' * 299}..."


def test_what_is_as_short_as_a_word_is_blanked_nowhere() -> None:
    with session_for("http://127.0.0.1:1", token="order"):
        assert without_secrets("an order of orders") == "an order of orders"
