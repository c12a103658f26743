"""A file that is sent: as a form that others can read, once, and looked for where nobody knows whether it arrived."""

from __future__ import annotations

import email
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from email.message import Message
from http.client import parse_headers
from pathlib import Path
from typing import Any, Self

import pytest

from airflow_provider_nexus.client import core
from airflow_provider_nexus.client.call import Call, form_of
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusConfigurationError,
    NexusError,
    NexusStorageError,
    NexusValidationError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.writes import upload
from tests.client.serving import session_for
from tests.client.socket_server import Asked, Reply, SocketServer, answer, drop, free_port

FILE = b"%PDF-1.4\r\n--\r\n" + bytes(range(256)) * 40
PATH = "C1/passport.pdf"
FIELDS = {"filePath": PATH, "customerCode": "C1", "documentStoreTypeCode": "ID", "alias": 'my "pass"\r\nport é'}
RECORD = {
    "fileName": "passport.pdf",
    "filePath": PATH,
    "customerCode": "C1",
    "documentStoreType": {"Code": "ID", "Name": "Identity"},
    "alias": FIELDS["alias"],
    "fileSizeInMB": "0.01",
    "createdOn": "2026-01-02T03:04:05Z",
}
TAKEN = answer(json.dumps({"message": "ok", "errors": None, "values": RECORD}).encode(), Content_Type="application/json")
COMPLAINT = b'{"message":"no","errors":["DocumentExists"],"values":null}'


def posting(fields: Any = None, data: bytes = FILE, path: str = upload.DOCUMENT, **options: Any) -> Call:
    method = options.pop("method", "POST")
    headers = options.pop("headers", None)
    form = form_of(FIELDS if fields is None else fields, file_name="passport.pdf", data=data, **{"file_field": "file", **options})
    return Call(method, path, headers=headers, form=form)


def send(base_url: str, call: Call, *, writes: bool = True) -> Any:
    with session_for(base_url, writes=writes) as session:
        return upload.send(session, call, log=logging.getLogger("test"), pauses=(0.0, 0.0))


def parts_of(asked: Asked) -> dict[str, Message]:
    """The parts of a form, as the standard library reads it."""
    raw = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode() + asked.body
    message = email.message_from_bytes(raw)
    assert message.is_multipart()
    found = [part for part in message.get_payload() if isinstance(part, Message)]
    return {str(part.get_param("name", header="content-disposition")): part for part in found}


def test_the_form() -> None:
    with SocketServer(TAKEN) as server:
        assert send(server.base_url, posting(headers={"customer_ip_address": "203.0.113.7"})) == RECORD
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", upload.DOCUMENT)
    assert (asked.headers["customer_ip_address"], asked.headers["api_version"]) == ("203.0.113.7", "1.2")
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    parts = parts_of(asked)
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        **{name: value.encode() for name, value in FIELDS.items()},
        "file": FILE,
    }
    assert (parts["file"].get_filename(), parts["file"].get_content_type()) == ("passport.pdf", "application/pdf")


def test_values_of_other_kinds() -> None:
    with SocketServer(TAKEN) as server:
        send(server.base_url, posting({"a": 1, "b": True, "c": None, "d": "", "e": "é€"}, file_field="scan"))
    parts = parts_of(server.asked[0])
    texts = {name: part.get_payload(decode=True) for name, part in parts.items()}
    assert texts == {"a": b"1", "b": b"true", "d": b"", "e": "é€".encode(), "scan": FILE}


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"customerCode": 10000001}, "fields.customerCode is the number 10000001, and a code is text"),
        ({"a": 1.5}, "fields.a is the float 1.5"),
        ({"a": ["x"]}, "fields.a is ['x'], a list, which no form can carry"),
        ({"a": b"x"}, "which no form can carry"),
        ({"file": "x"}, "fields has 'file', which the file goes into"),
        ({"": "x"}, "fields has the name ''"),
        ({7: "x"}, "fields has the name 7"),
        ({"a\r\nb": "x"}, "fields has the name"),
        ("a=b", "fields is 'a=b', a str"),
        ([("a", "b")], "a list: give a dictionary"),
    ],
)
def test_fields_that_are_refused(fields: Any, what: str) -> None:
    with pytest.raises(NexusConfigurationError) as caught:
        posting(fields)
    assert what in str(caught.value)


def test_a_form_changes_something() -> None:
    with pytest.raises(NexusConfigurationError, match="takes no body"):
        posting(method="GET")
    with SocketServer(TAKEN) as server, pytest.raises(NexusWriteRefusedError):
        send(server.base_url, posting(), writes=False)
    assert server.connections == 0


UNKNOWN: dict[str, Reply] = {
    "no answer": drop,
    "half an answer": lambda connection: connection.sendall(TAKEN[:-20]),
    "500": answer(b"", 500),
    "503": answer(b"", 503),
    "409": answer(COMPLAINT, 409),
    "complaint under 200": answer(COMPLAINT),
    "page": answer(b"<html></html>", Content_Type="text/html"),
}


class Store:
    """A document store that answers an upload so, and the look-ups after it by what it holds."""

    def __init__(self, reply: Reply, held: bytes | None, *records: Any, list_status: int = 200) -> None:
        self._reply, self._held, self._records, self._status = reply, held, records, list_status

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            return self._reply
        if asked.target.startswith("/integrations/documentstore/list"):
            page = {"page": 1, "total": len(self._records), "totalPages": 1, "records": self._records}
            return answer(json.dumps({"errors": None, "values": page}).encode(), self._status)
        if self._held is None:
            return answer(b'{"errors":["DocumentNotFound"]}', 404)
        return answer(self._held, Content_Type="application/pdf")


def posts(server: SocketServer) -> int:
    return len([asked for asked in server.asked if asked.method == "POST"])


@pytest.mark.parametrize("reply", UNKNOWN.values(), ids=list(UNKNOWN))
def test_a_lost_answer_is_looked_up(reply: Reply) -> None:
    other = {**RECORD, "filePath": "C1/other.pdf"}
    with SocketServer(by=Store(reply, FILE, other, RECORD)) as server:
        assert send(server.base_url, posting()) == RECORD
    assert posts(server) == 1
    assert [asked.target for asked in server.asked[1:]] == [
        "/integrations/documentstore/list?customerCode=C1&limit=100&sortBy=CreatedDate&sortDirection=Desc",
        "/integrations/documentstore/file?filePath=C1%2Fpassport.pdf",
    ]


NOT_THERE: dict[str, Callable[[Reply], Store]] = {
    "none": lambda reply: Store(reply, None),
    "listed, not there": lambda reply: Store(reply, None, RECORD),
    "other bytes": lambda reply: Store(reply, FILE + b"x", RECORD),
    "of another type": lambda reply: Store(reply, FILE, {**RECORD, "documentStoreType": {"Code": "POA"}}),
    "of nobody": lambda reply: Store(reply, FILE, {**RECORD, "customerCode": None}),
    "with another alias": lambda reply: Store(reply, FILE, {**RECORD, "alias": None}),
    "no list": lambda reply: Store(reply, FILE, RECORD, list_status=403),
    "odd list": lambda reply: Store(reply, FILE, None, 7, "x"),
}


@pytest.mark.parametrize("store", NOT_THERE.values(), ids=list(NOT_THERE))
@pytest.mark.parametrize("reply", [drop, answer(COMPLAINT, 409)], ids=["no answer", "409"])
def test_what_can_not_be_found_stays_unknown(store: Callable[[Reply], Store], reply: Reply) -> None:
    with SocketServer(by=store(reply)) as server, pytest.raises(NexusAmbiguousWriteError) as caught:
        send(server.base_url, posting())
    assert posts(server) == 1
    assert "GET /integrations/documentstore/list of the customer shows the document" in str(caught.value)
    assert PATH not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        posting({"customerCode": "C1"}),
        posting({"filePath": PATH}),
        posting(path="/customer/C1/files"),
    ],
)
def test_what_can_not_be_looked_up(call: Call) -> None:
    with SocketServer(by=Store(drop, FILE, RECORD)) as server, pytest.raises(NexusAmbiguousWriteError):
        send(server.base_url, call)
    assert [asked.method for asked in server.asked] == ["POST"]


@pytest.mark.parametrize("status", [400, 404, 413, 415])
def test_a_refusal_is_final(status: int) -> None:
    with SocketServer(answer(COMPLAINT, status)) as server, pytest.raises(NexusError) as caught:
        send(server.base_url, posting())
    assert not isinstance(caught.value, NexusAmbiguousWriteError)
    assert "DocumentExists" in str(caught.value)
    assert isinstance(caught.value, NexusValidationError) or status == 404
    assert len(server.asked) == 1


def test_a_file_that_never_left_is_sent_again() -> None:
    with SocketServer(answer(b"", 429, Retry_After="0"), TAKEN) as server, pytest.raises(NexusError):
        send(server.base_url, posting())  # 429 is a refusal, and the task tries again
    assert posts(server) == 1
    with pytest.raises(NexusError) as caught:
        send(f"http://127.0.0.1:{free_port()}", posting())
    assert not isinstance(caught.value, NexusAmbiguousWriteError)


def test_a_put_may_be_repeated_as_it_is() -> None:
    with SocketServer(answer(b"", 503), TAKEN) as server:
        send(server.base_url, posting(method="PUT"))
    first, second = server.asked
    assert first == second


class TestTheSource:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.pdf").write_bytes(FILE)
        assert upload.load(tmp_path / "a.pdf", max_mb=1) == FILE

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(NexusStorageError, match=r"source is .*a.pdf, and there is no such file: nothing was sent"):
            upload.load(tmp_path / "a.pdf", max_mb=1)

    @pytest.mark.parametrize(("size", "what"), [(0, "an empty file"), (1_000_001, "more than 1 MB: raise max_mb")])
    def test_sizes(self, size: int, what: str, tmp_path: Path) -> None:
        (tmp_path / "a.pdf").write_bytes(b"x" * size)
        with pytest.raises(NexusConfigurationError, match=what):
            upload.load(tmp_path / "a.pdf", max_mb=1)

    @pytest.mark.parametrize("max_mb", [0, True, "64", None])
    def test_odd_sizes(self, max_mb: Any, tmp_path: Path) -> None:
        with pytest.raises(NexusConfigurationError, match="max_mb is"):
            upload.load(tmp_path / "a.pdf", max_mb=max_mb)


class _SlowReader:
    """A server on this machine that takes a body in small pieces with pauses between them, then answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.came = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as reader:
            reader.readline()
            left = int(parse_headers(reader)["content-length"])
            while left and (piece := reader.read(min(left, 200_000))):
                left, self.came = left - len(piece), self.came + len(piece)
                time.sleep(0.02)
            connection.sendall(TAKEN if not left else b"")


def test_a_slow_line_has_time_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "CONNECT_TIMEOUT", 0.6)  # urllib3 takes it for what is sent, too
    call = posting(data=os.urandom(16_000_000))
    with _SlowReader() as server, session_for(server.base_url, timeout=20) as session:
        assert upload.send(session, call, log=logging.getLogger("test"), pauses=()) == RECORD
    assert call.form
    assert server.came == len(call.form.content)


OTHERS = {
    "nothing": b"",
    "null": b'{"message":"ok","errors":null,"values":null}',
    "of another customer": json.dumps({"values": {**RECORD, "customerCode": "C9"}, "errors": None}).encode(),
    "another file": json.dumps({"values": {**RECORD, "filePath": "C1/z.pdf"}, "errors": None}).encode(),
}


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("body", OTHERS.values(), ids=list(OTHERS))
def test_an_answer_that_is_not_of_the_document_is_looked_into(body: bytes, is_there: bool) -> None:
    listed = {"page": 1, "total": 1, "totalPages": 1, "records": [RECORD] if is_there else []}

    def by(asked: Asked) -> Reply:
        if asked.method == "POST":
            return answer(body, Content_Type="application/json")
        if asked.target.startswith("/integrations/documentstore/list"):
            return answer(json.dumps({"values": listed, "errors": None, "message": ""}).encode())
        return answer(FILE, Content_Type="application/pdf")

    with SocketServer(by=by) as server:
        if is_there:
            assert send(server.base_url, posting()) == RECORD
        else:
            with pytest.raises(NexusAmbiguousWriteError, match="its answer is not of this document"):
                send(server.base_url, posting())
        assert [asked.method for asked in server.asked].count("POST") == 1


@pytest.mark.parametrize("path", ["/C1/passport.pdf", "C1/PASSPORT.pdf", "store/C1/passport.pdf"])
def test_a_path_that_is_spelt_otherwise_is_the_same(path: str) -> None:
    record = {**RECORD, "filePath": path}
    with SocketServer(answer(json.dumps({"values": record, "errors": None}).encode())) as server:
        assert send(server.base_url, posting()) == record
        assert len(server.asked) == 1


@pytest.mark.parametrize("fields", [{"FilePath": "x", "filePath": "y"}, {"File": "x"}])
def test_names_that_differ_in_case_alone_are_one(fields: dict[str, str]) -> None:
    with pytest.raises(NexusConfigurationError, match="which Nexus reads as one name"):
        posting(fields)
