"""A file that is fetched: whole and byte for byte, or not at all, whatever the server and the network do."""

from __future__ import annotations

import gzip
import hashlib
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.client import download
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusResponseError,
    NexusServerError,
    NexusStorageError,
    NexusValidationError,
)
from tests.client.serving import session_for
from tests.client.socket_server import Reply, SocketServer, answer, drop

PATH = "/integrations/documentstore/file"
FILE = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 1000
PDF = "application/pdf"
WHOLE = answer(FILE, Content_Type=PDF)
COMPLAINT = b'{"message":"There is no such document","errors":["DocumentNotFound"],"values":null}'


def sent(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Bytes as they are, then the end of the connection."""

    def send(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return send


def head(*lines: str, status: int = 200) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode()


def chunked(data: bytes, *, ends: bool = True) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n" + (b"0\r\n\r\n" if ends else b"")


@contextmanager
def fetching(*replies: Reply) -> Iterator[tuple[NexusSession, SocketServer]]:
    with SocketServer(*replies) as server, session_for(server.base_url, writes=False) as session:
        yield session, server


def fetch(session: NexusSession, target: Path, call: Call | None = None, **options: Any) -> dict[str, Any]:
    call = call or Call("GET", PATH, {"filePath": "C1/passport.pdf"})
    return download.fetch(session, call, target, **{"overwrite": False, "max_mb": 1, **options})


def all_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "reply",
    [
        WHOLE,
        answer(gzip.compress(FILE), Content_Encoding="gzip", Content_Type=PDF),
        sent(
            head("Transfer-Encoding: chunked", "Content-Type: application/pdf"), chunked(FILE[:9], ends=False), chunked(FILE[9:])
        ),
        sent(head("Content-Encoding: gzip", "Content-Type: application/pdf"), gzip.compress(FILE)),
    ],
    ids=["measured", "packed", "chunked", "packed, up to the end of the connection"],
)
def test_a_whole_file(reply: Reply, tmp_path: Path) -> None:
    target = tmp_path / "kyc" / "C1.pdf"
    with fetching(reply) as (session, server):
        found = fetch(session, target)
    assert target.read_bytes() == FILE
    digest = hashlib.sha256(FILE).hexdigest()
    assert found == {"place": str(target), "bytes": len(FILE), "sha256": digest, "content_type": "application/pdf"}
    assert [(asked.method, asked.target, asked.headers["accept"]) for asked in server.asked] == [
        ("GET", f"{PATH}?filePath=C1%2Fpassport.pdf", "*/*")
    ]
    assert all_names(tmp_path) == ["kyc", "kyc/C1.pdf"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":null,"values":{"a":1}}',
        b'{"errors":["x"],"message":"a","line":7}',
        b"[1, 2]",
        b"{}",
        b'{"errors":["x"]',
        b'\xef\xbb\xbf{"values":[]}',
    ],
)
def test_a_file_of_json(body: bytes, tmp_path: Path) -> None:
    with fetching(answer(body, Content_Type="application/json")) as (session, _):
        fetch(session, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == body


HALF = FILE[: len(FILE) // 2]
BROKEN: dict[str, Reply] = {
    "nothing": drop,
    "half of what was measured": sent(head(f"Content-Length: {len(FILE)}"), HALF),
    "half of the pieces": sent(head("Transfer-Encoding: chunked"), chunked(HALF, ends=False)),
    "half of a piece": sent(head("Transfer-Encoding: chunked"), chunked(HALF)[:-200]),
    "half of what was packed": sent(head("Content-Encoding: gzip"), gzip.compress(FILE)[:-100]),
    "damaged packing": answer(gzip.compress(FILE)[:-8] + b"\0" * 8, Content_Encoding="gzip"),
    "half a head": sent(b"HTTP/1.1 200 X\r\nContent-Ty"),
    "503": answer(b"", 503),
    "429": answer(b"", 429, Retry_After="0"),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=list(BROKEN))
def test_what_breaks_is_fetched_anew(reply: Reply, tmp_path: Path) -> None:
    with fetching(reply, reply, WHOLE) as (session, server):
        found = fetch(session, tmp_path / "C1.pdf")
    assert (tmp_path / "C1.pdf").read_bytes() == FILE
    assert (found["bytes"], found["sha256"]) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    assert len(server.asked) == 3


@pytest.mark.parametrize("former", [None, b"an older one"])
@pytest.mark.parametrize("reply", BROKEN.values(), ids=list(BROKEN))
def test_what_stays_broken_leaves_no_half(reply: Reply, former: bytes | None, tmp_path: Path) -> None:
    target = tmp_path / "C1.pdf"
    if former:
        target.write_bytes(former)
    with fetching(reply) as (session, server), pytest.raises(NexusError) as caught:
        fetch(session, target, overwrite=True)
    assert isinstance(caught.value, NexusInterruptedError | NexusResponseError | NexusServerError) or "429" in str(caught.value)
    assert all_names(tmp_path) == (["C1.pdf"] if former else [])
    assert not former or target.read_bytes() == former
    assert len(server.asked) == 4


FINAL: dict[str, tuple[Reply, type[NexusError], str]] = {
    "404": (answer(COMPLAINT, 404), NexusNotFoundError, "DocumentNotFound; There is no such document"),
    "complaint under 200": (answer(COMPLAINT), NexusValidationError, "DocumentNotFound; There is no such document"),
    "complaint that says to be a file": (answer(COMPLAINT, Content_Type=PDF), NexusValidationError, "DocumentNotFound"),
    "complaint in other letters": (answer(b' {"Errors":["E1"],"Values":null}'), NexusValidationError, "E1"),
    "empty": (answer(b"", Content_Type=PDF), NexusResponseError, "HTTP 200 with an empty body"),
    "204": (answer(b"", 204), NexusResponseError, "HTTP 204 brings no whole file"),
    "206": (answer(HALF, 206), NexusResponseError, "HTTP 206 brings no whole file"),
    "redirect": (answer(b"", 302, Location="/login"), NexusResponseError, "HTTP 302"),
    "no end": (sent(head("Content-Type: application/pdf"), FILE), NexusResponseError, "does not state where it ends"),
    "other packing": (answer(FILE, Content_Encoding="br"), NexusResponseError, "packed in another way"),
    "too large": (answer(b"x" * 1_000_001), NexusResponseError, "more than the 1 MB that max_mb lets a file have: raise it"),
    "too large unpacked": (
        answer(gzip.compress(b"x" * 1_000_001), Content_Encoding="gzip"),
        NexusResponseError,
        "more than the 1 MB that max_mb lets a file have: raise it",
    ),
    "far too large": (answer(b"x" * 3_000_000), NexusResponseError, "more than the 1 MB that max_mb lets a file have: raise it"),
    "page": (answer(b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8"), NexusResponseError, "end target in"),
}


PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
LONG = b'{"message":"' + b"n" * 300_000 + b'","errors":["DocumentNotFound"],"values":null}'
FINAL |= {
    f"page, {number}": (answer(page, Content_Type=kind), NexusResponseError, "a page of HTML came")
    for number, (page, kind) in enumerate(
        [
            (PAGE, "application/octet-stream"),
            (b"\r\n  " + PAGE.lower(), PDF),
            (b"<!-- a gateway -->\n" + PAGE, PDF),
            (b'<?xml version="1.0"?><html xmlns="x"></html>', ""),
            (b"anything", "application/xhtml+xml"),
        ]
    )
} | {
    "a long complaint": (answer(LONG), NexusValidationError, "DocumentNotFound"),
    "a complaint in UTF-16": (answer(COMPLAINT.decode().encode("utf-16")), NexusValidationError, "HTTP 200"),
    "a problem": (answer(b'{"title":"gone","status":404}', Content_Type="application/problem+json"), NexusError, "gone"),
}


@pytest.mark.parametrize(("reply", "kind", "what"), FINAL.values(), ids=list(FINAL))
def test_what_is_no_file_is_asked_for_once(reply: Reply, kind: type[NexusError], what: str, tmp_path: Path) -> None:
    with fetching(reply) as (session, server), pytest.raises(kind) as caught:
        fetch(session, tmp_path / "C1.pdf")
    assert what in str(caught.value)
    assert len(server.asked) == 1
    assert all_names(tmp_path) == []


def test_a_file_may_be_larger_than_an_answer(tmp_path: Path) -> None:
    data = os.urandom(1_900_000)
    with fetching(answer(data)) as (session, _):
        session._bounds = type(session._bounds)(5.0, 1_000_000)
        fetch(session, tmp_path / "a", max_mb=2)
    assert (tmp_path / "a").read_bytes() == data


def test_a_page_that_is_wanted(tmp_path: Path) -> None:
    with fetching(answer(b"<html></html>", Content_Type="text/html")) as (session, _):
        assert fetch(session, tmp_path / "terms.HTML")["content_type"] == "text/html"


def test_a_link_is_no_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real.pdf", tmp_path / "link.pdf"
    real.write_bytes(b"former")
    link.symlink_to(real)
    with pytest.raises(NexusConfigurationError, match="a link or a device"):
        download.refuse_no_file("target", str(link), link)
    assert (link.is_symlink(), real.read_bytes()) == (True, b"former")


def test_a_name_that_no_disk_takes(tmp_path: Path) -> None:
    with pytest.raises(NexusStorageError):
        download.refuse_no_file("target", "x", tmp_path / ("n" * 300))


class TestAFileThatIsThere:
    def test_with_the_same_bytes(self, tmp_path: Path) -> None:
        target = tmp_path / "C1.pdf"
        with fetching(WHOLE) as (session, _):
            found = fetch(session, target)
            before = target.stat().st_ino
            assert fetch(session, target) == found
        assert target.stat().st_ino == before

    @pytest.mark.parametrize("former", [b"", b"other", FILE + b"more", FILE[:-1]])
    def test_with_others(self, former: bytes, tmp_path: Path) -> None:
        target = tmp_path / "C1.pdf"
        target.write_bytes(former)
        with fetching(WHOLE) as (session, _):
            with pytest.raises(NexusStorageError, match="another file is there: name another place, or give overwrite=True"):
                fetch(session, target)
            assert target.read_bytes() == former
            fetch(session, target, overwrite=True)
        assert target.read_bytes() == FILE


class TestArguments:
    @pytest.mark.parametrize("max_mb", [0, -1, True, 1.5, "64", None, 10**9])
    def test_sizes(self, max_mb: Any, tmp_path: Path) -> None:
        with (
            fetching(WHOLE) as (session, server),
            pytest.raises(NexusConfigurationError, match=r"max_mb is .*: give a whole number"),
        ):
            fetch(session, tmp_path / "a", max_mb=max_mb)
        assert server.connections == 0

    @pytest.mark.parametrize("overwrite", ["False", None, 1])
    def test_flags(self, overwrite: Any, tmp_path: Path) -> None:
        with fetching(WHOLE) as (session, server), pytest.raises(NexusConfigurationError, match=r"overwrite is .*: give True or"):
            fetch(session, tmp_path / "a", overwrite=overwrite)
        assert server.connections == 0

    def test_what_changes_something(self, tmp_path: Path) -> None:
        with fetching(WHOLE) as (session, server), pytest.raises(NexusConfigurationError, match="a download only reads"):
            fetch(session, tmp_path / "a", Call("GET", "/accounts/activate/A1"))
        assert server.connections == 0

    @pytest.mark.parametrize("end", ["", "/", "/sub/"])
    def test_a_folder(self, end: str, tmp_path: Path) -> None:
        given = f"{tmp_path}{end}"
        with pytest.raises(NexusConfigurationError, match="a folder: name the file in it"):
            download.refuse_no_file("target", given, Path(given))

    def test_a_file_where_a_folder_is_needed(self, tmp_path: Path) -> None:
        (tmp_path / "kyc").write_bytes(b"")
        with fetching(WHOLE) as (session, server), pytest.raises(NexusStorageError, match="is no folder"):
            fetch(session, tmp_path / "kyc" / "C1.pdf")
        assert server.connections == 0


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file of this process may have more than 100 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("little_room")
def test_a_disk_that_takes_no_more_is_not_told_as_a_broken_connection(tmp_path: Path) -> None:
    with (
        fetching(WHOLE) as (session, server),
        pytest.raises(NexusStorageError, match=r"on its way, in .* can't be stored: .*too large"),
    ):
        fetch(session, tmp_path / "C1.pdf")
    assert len(server.asked) == 1
    assert all_names(tmp_path) == []


def test_no_folder_for_what_is_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with (
        fetching(WHOLE) as (session, server),
        pytest.raises(NexusStorageError, match=r"the file on its way, in .*gone, can't be stored"),
    ):
        fetch(session, tmp_path / "C1.pdf")
    assert server.connections == 0
