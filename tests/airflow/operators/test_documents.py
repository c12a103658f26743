"""Files by the operators, in real Airflow: from the sandbox, and to a server that is scripted."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.documents import NexusDownloadOperator, NexusUploadOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of, xcom_texts
from tests.client.socket_server import Asked, Reply, SocketServer, answer, drop

FILE = b"%PDF-1.4\n" + bytes(range(256)) * 50
FIELDS = {"filePath": "{{ params.customer }}/a.pdf", "customerCode": "{{ params.customer }}", "documentStoreTypeCode": "ID"}
RECORD = {
    "fileName": "a.pdf",
    "filePath": "0012/a.pdf",
    "customerCode": "0012",
    "documentStoreType": {"Code": "ID"},
    "createdOn": "2026-01-02T03:04:05Z",
}
TAKEN = answer(json.dumps({"errors": None, "values": RECORD}).encode())
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}


class _Scripted(SocketServer):
    token = "T"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=8, transactions=10, days=1, clock_speed=0) as running, connection(running):
        yield running


@pytest.fixture
def document(sandbox: Sandbox) -> dict[str, Any]:
    """A document in the sandbox's store."""
    customers = [json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")]
    return next(record for code in customers for record in NexusHook().iter_records("documents", parent=code))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "a.pdf").write_bytes(FILE)
    return tmp_path / "a.pdf"


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each wait before a look-up, without the waiting."""
    made: list[float] = []
    sleep, here = time.sleep, threading.get_ident()
    monkeypatch.setattr(time, "sleep", lambda seconds: made.append(seconds) if threading.get_ident() == here else sleep(seconds))
    return made


def posts(server: SocketServer) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "POST"]


def test_from_nexus_to_nexus(document: dict[str, Any], tmp_path: Path) -> None:
    target = f"{tmp_path}/{{{{ params.customer }}}}/a.pdf"
    with (
        _Scripted(TAKEN) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("documents", schedule=None, params={"customer": "0012", "path": document["filePath"]}) as dag,
    ):
        fetched = NexusDownloadOperator(task_id="fetch", query={"filePath": "{{ params.path }}"}, target=target)
        sent = NexusUploadOperator(
            task_id="send",
            source="{{ ti.xcom_pull('fetch')['place'] }}",
            fields={**FIELDS, "description": "{{ ti.xcom_pull('fetch')['sha256'] }}"},
            headers={"x-Correlation-Id": "{{ run_id }}"},
            nexus_conn_id="nexus_other",
        )
        fetched >> sent
        run = run_dag(dag)
    assert run.state == "success"
    data = (tmp_path / "0012" / "a.pdf").read_bytes()
    assert data.endswith(document["filePath"].encode())
    digest = hashlib.sha256(data).hexdigest()
    found = xcom_of(run, "fetch")
    assert (found["bytes"], found["sha256"], found["content_type"]) == (len(data), digest, "application/pdf")
    assert xcom_of(run, "send") == RECORD
    (asked,) = server.asked
    assert asked.headers["x-correlation-id"] == run.run_id
    for part in (data, b"0012/a.pdf", digest.encode(), b'name="documentStoreTypeCode"\r\n\r\nID\r\n'):
        assert part in asked.body


def test_texts_stay_texts_where_templates_are_native(sandbox: Sandbox, source: Path) -> None:
    with (
        _Scripted(TAKEN) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("native", schedule=None, params={"customer": "0012"}, render_template_as_native_obj=True) as dag,
    ):
        headers = {"x-customer": "{{ params.customer }}"}
        NexusUploadOperator(task_id="send", source=str(source), fields=FIELDS, headers=headers, nexus_conn_id="nexus_other")
        NexusOperator(task_id="call", endpoint="/orders", headers=headers, nexus_conn_id="nexus_other")
        assert run_dag(dag).state == "success"
    assert b'name="customerCode"\r\n\r\n0012\r\n' in posts(server)[0].body
    assert [asked.headers["x-customer"] for asked in server.asked] == ["0012"] * 2


MISSING = "{{ params.nothing }}"
DOWNLOAD: dict[str, Any] = {"target": "/data/a.pdf"}
UPLOAD: dict[str, Any] = {"source": "/data/a.pdf", "fields": {"filePath": "a"}}


@pytest.mark.parametrize(
    ("kind", "arguments", "what"),
    [
        (NexusDownloadOperator, {**DOWNLOAD, "target": MISSING}, "target is 'None'"),
        (NexusDownloadOperator, {**DOWNLOAD, "target": f"/data/{MISSING}.pdf"}, "'None.pdf' in it"),
        (NexusDownloadOperator, {**DOWNLOAD, "endpoint": MISSING}, "endpoint is 'None'"),
        (NexusDownloadOperator, {**DOWNLOAD, "query": {"filePath": MISSING}}, "the query's filePath is 'None'"),
        (NexusDownloadOperator, {**DOWNLOAD, "headers": {"x-a": MISSING}}, "the header x-a is 'None'"),
        (NexusDownloadOperator, {**DOWNLOAD, "storage_conn_id": MISSING}, "storage_conn_id is 'None'"),
        (NexusUploadOperator, {**UPLOAD, "source": MISSING}, "source is 'None'"),
        (NexusUploadOperator, {**UPLOAD, "fields": {"filePath": MISSING}}, "the field filePath is 'None'"),
        (NexusUploadOperator, {**UPLOAD, "fields": MISSING}, "fields is 'None', a str: give a dictionary"),
        (NexusUploadOperator, {**UPLOAD, "endpoint": "{{ '' }}"}, "endpoint is ''"),
        (
            NexusOperator,
            {"endpoint": "/orders", "headers": {"customer_ip_address": MISSING}},
            "the header customer_ip_address is 'None'",
        ),
        (NexusOperator, {"endpoint": "/orders", "headers": "{{ params.nothing }}"}, "headers is a str: give a dictionary"),
    ],
)
def test_what_is_missing_is_named(kind: Any, arguments: dict[str, Any], what: str, source: Path) -> None:
    errors: list[Any] = []
    if arguments.get("fields") == MISSING:
        arguments = {**arguments, "source": str(source)}
    with (
        _Scripted(TAKEN) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("missing", schedule=None, params={"nothing": None}) as dag,
    ):
        note = lambda context: errors.append(context["exception"])  # noqa: E731
        kind(task_id="do", nexus_conn_id="nexus_other", on_failure_callback=note, **RETRIES, **arguments)
        assert state_of(run_dag(dag), "do") == "failed"
    assert [type(error) for error in errors] == [NexusConfigurationError]
    assert what in str(errors[0])
    assert server.connections == 0


def test_what_is_missing_is_named_where_the_dag_is_parsed() -> None:
    with pytest.raises(NexusConfigurationError, match="the field alias is None"):
        NexusUploadOperator(task_id="do", source="/data/a.pdf", fields={"alias": None})
    with pytest.raises(NexusConfigurationError, match="the token comes from the connection alone"):
        NexusOperator(task_id="do", endpoint="/orders", headers={"Authorization": "x"})


@pytest.mark.parametrize("place", ["", "a.pdf", "~/a.pdf", "/data/None/a.pdf", None, 7])
def test_a_place_that_is_none_is_refused_where_the_dag_is_parsed(place: Any) -> None:
    with DAG("parsed", schedule=None):
        with pytest.raises(NexusConfigurationError, match="target is"):
            NexusDownloadOperator(task_id="fetch", target=place)
        with pytest.raises(NexusConfigurationError, match="source is"):
            NexusUploadOperator(task_id="send", source=place, fields={})


class _Death(BaseException):
    """Nothing but the mark is left behind, as with a killed process."""


@pytest.mark.parametrize(
    ("reply", "is_held", "state"),
    [(drop, False, "failed"), (drop, True, "success"), (answer(b"", 500), False, "failed")],
    ids=["lost", "found", "500"],
)
def test_an_upload_goes_out_once_for_all_tries(reply: Reply, is_held: bool, state: str, source: Path, naps: list[float]) -> None:
    def by(asked: Asked) -> Reply:
        if asked.method == "POST":
            return reply
        if "/list" in asked.target:
            values = {"page": 1, "total": 1, "records": [RECORD] if is_held else []}
            return answer(json.dumps({"errors": None, "values": values}).encode())
        return answer(FILE)

    with (
        _Scripted(by=by) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("once", schedule=None, params={"customer": "0012"}) as dag,
    ):
        NexusUploadOperator(task_id="send", source=source, fields=FIELDS, nexus_conn_id="nexus_other", **RETRIES)
        run = run_dag(dag)
    assert state_of(run, "send") == state
    assert len(posts(server)) == 1
    assert naps


def test_an_upload_of_a_worker_that_died_does_not_go_out_again(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths: list[Any] = []

    def die(values: Any) -> Any:
        deaths.append(values)
        raise _Death

    monkeypatch.setattr("airflow_provider_nexus.operators.documents.as_plain", die)
    with (
        _Scripted(TAKEN) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("dead", schedule=None, params={"customer": "0012"}) as dag,
    ):
        NexusUploadOperator(task_id="send", source=source, fields=FIELDS, nexus_conn_id="nexus_other", **RETRIES)
        run = run_dag(dag)
    assert state_of(run, "send") == "failed"
    assert deaths == [RECORD]
    assert len(posts(server)) == 1


def test_a_download_that_breaks_is_tried_again(tmp_path: Path) -> None:
    with (
        _Scripted(drop, drop, answer(FILE)) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("again", schedule=None) as dag,
    ):
        NexusDownloadOperator(task_id="fetch", target=tmp_path / "a.pdf", nexus_conn_id="nexus_other", **RETRIES)
        assert run_dag(dag).state == "success"
    assert (tmp_path / "a.pdf").read_bytes() == FILE
    assert len(server.asked) == 3


def test_a_file_goes_through_no_xcom(tmp_path: Path) -> None:
    secret = os.urandom(16).hex().encode()
    with (
        _Scripted(answer(secret)) as server,
        connection(server, "nexus_other"),  # type: ignore[arg-type]
        DAG("no_xcom", schedule=None) as dag,
    ):
        NexusDownloadOperator(task_id="fetch", target=tmp_path / "a.pdf", nexus_conn_id="nexus_other")
        run = run_dag(dag)
    assert (tmp_path / "a.pdf").read_bytes() == secret
    assert not any(secret.decode() in text for text in xcom_texts(run))
