"""Files by the hook: from and to every kind of place, told to Airflow's lineage, and never half."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.compat import AirflowFailException, get_hook_lineage_collector
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusConfigurationError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusStorageError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.client.socket_server import Reply, SocketServer, answer, drop
from tests.load.buckets import BucketFileSystem, bucket_of

DOCUMENT = "/integrations/documentstore/file"
FIELDS = {"filePath": "C1/a.pdf", "customerCode": "C1", "documentStoreTypeCode": "ID"}
FILE = b"%PDF-1.4\n" + bytes(range(256)) * 50
TAKEN = answer(json.dumps({"errors": None, "values": {"filePath": "C1/a.pdf"}}).encode())


class _Scripted(SocketServer):
    token = "T"


def served(*replies: Reply) -> SocketServer:
    return _Scripted(*replies)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=8, transactions=10, days=1, clock_speed=0) as running:
        yield running


@pytest.fixture
def document(sandbox: Sandbox) -> Iterator[str]:
    """The path of a file in the sandbox's document store."""
    with connection(sandbox):
        customers = [json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")]
        found = (record["filePath"] for code in customers for record in NexusHook().iter_records("documents", parent=code))
        yield next(found)


def place_of(kind: str, folder: Path) -> Any:
    files = BucketFileSystem("laek-prod")
    return {
        "text": str(folder / "kyc" / "a.pdf"),
        "path": folder / "kyc" / "a.pdf",
        "url": f"file://{folder}/kyc/a.pdf",
        "object": ObjectStoragePath(f"file://{folder}/kyc/a.pdf"),
        "bucket": bucket_of(files, "s3://laek-prod/kyc/a.pdf"),
        "bucket's url": str(bucket_of(files, "s3://laek-prod/kyc/a.pdf")),
    }[kind]


def read(place: Any) -> bytes:
    path: Any = ObjectStoragePath(str(place))
    with path.open("rb") as file:
        return bytes(file.read())


def write(place: Any, data: bytes) -> None:
    path: Any = ObjectStoragePath(str(place))
    path.fs.makedirs(str(path.parent.path), exist_ok=True)
    with path.open("wb") as file:
        file.write(data)


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What Airflow's lineage has heard that the hook wrote."""
    collector = sys.modules[get_hook_lineage_collector.__module__].HookLineageCollector()
    monkeypatch.setattr("airflow_provider_nexus.hooks._files.get_hook_lineage_collector", lambda: collector)
    return lambda: [entry.asset.uri for entry in collector.collected_assets.outputs]


PLACES = ["text", "path", "url", "object", "bucket", "bucket's url"]


@pytest.mark.parametrize("kind", PLACES)
def test_download(kind: str, document: str, tmp_path: Path, outputs: Callable[[], list[str]]) -> None:
    target = place_of(kind, tmp_path)
    found = NexusHook().download(DOCUMENT, target, params={"filePath": document})
    data = read(target)
    assert data.startswith(b"%PDF-1.4")
    assert data.endswith(document.encode())
    assert (found["bytes"], found["content_type"], len(found["sha256"])) == (len(data), "application/pdf", 64)
    assert found["place"].endswith("kyc/a.pdf")
    assert json.loads(json.dumps(found)) == found
    assert NexusHook().download(DOCUMENT, target, params={"filePath": document}) == found
    uri = "s3://laek-prod/kyc/a.pdf" if "bucket" in kind else f"file://{tmp_path}/kyc/a.pdf"
    assert uri in outputs()


@pytest.mark.parametrize("name", ["é €.pdf", "a b.pdf", "x" * 200 + ".pdf", "100%.pdf"])
def test_a_name_that_no_asset_can_have_is_no_matter(
    name: str, document: str, tmp_path: Path, outputs: Callable[[], list[str]]
) -> None:
    NexusHook().download(DOCUMENT, tmp_path / name, params={"filePath": document})
    assert (tmp_path / name).read_bytes().startswith(b"%PDF-1.4")
    assert len(outputs()) == 1


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("was_there", [False, True])
def test_a_file_that_does_not_come_whole_changes_nothing(kind: str, was_there: bool, tmp_path: Path) -> None:
    target = place_of(kind, tmp_path)
    if was_there:
        write(target, b"former")

    def half(connection: Any) -> None:
        connection.sendall(answer(FILE)[: -len(FILE) // 2])

    with served(half) as server, connection(server), pytest.raises(NexusInterruptedError):  # type: ignore[arg-type]
        NexusHook(retries=1).download(DOCUMENT, target, overwrite=True)
    there = ObjectStoragePath(str(target))
    assert there.fs.exists(there.path) == was_there
    assert not was_there or read(target) == b"former"


@pytest.mark.parametrize("kind", PLACES)
def test_another_file_is_replaced_only_when_that_is_said(kind: str, tmp_path: Path) -> None:
    target = place_of(kind, tmp_path)
    packed = answer(gzip.compress(FILE), Content_Encoding="gzip")
    with served(answer(b"former"), packed) as server, connection(server):  # type: ignore[arg-type]
        hook = NexusHook()
        hook.download(DOCUMENT, target)
        with pytest.raises(NexusStorageError, match="another file is there"):
            hook.download(DOCUMENT, target)
        assert read(target) == b"former"
        hook.download(DOCUMENT, target, overwrite=True)
    assert read(target) == FILE


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (None, "target is None"),
        ("", "target is empty"),
        (7, "target is 7, an int"),
        ("kyc/a.pdf", "which begins at no known folder"),
        ("/data/None/a.pdf", "'None' in it"),
        ("/data/None.pdf", "'None.pdf' in it"),
        ("~/a.pdf", "write out the path of the home folder"),
        ("/tmp/", "target is /tmp/, a folder"),
        ("s3://laek-prod", "a folder: name the file in it"),
        ("s3://other/a.pdf", "there is no bucket or container 'other'"),
        ("nowhere://a/b.pdf", "its store can't be used"),
    ],
)
def test_a_target_that_is_none(target: Any, what: str) -> None:
    bucket_of(BucketFileSystem("laek-prod"))
    with served() as server, connection(server), pytest.raises(NexusConfigurationError) as caught:  # type: ignore[arg-type]
        NexusHook().download(DOCUMENT, target)
    assert what in str(caught.value)
    assert server.connections == 0


def test_a_document_that_is_not_there(document: str, tmp_path: Path) -> None:
    with pytest.raises(NexusNotFoundError, match="DocumentNotFound"):
        NexusHook().download(DOCUMENT, tmp_path / "a.pdf", params={"filePath": f"{document}x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", PLACES)
def test_upload(kind: str, tmp_path: Path) -> None:
    source = place_of(kind, tmp_path)
    write(source, FILE)
    with served(TAKEN) as server, connection(server):  # type: ignore[arg-type]
        found = NexusHook().upload(DOCUMENT, source, fields=FIELDS, headers={"x-Correlation-Id": "a"})
    assert found == {"filePath": "C1/a.pdf"}
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.headers["x-correlation-id"]) == ("POST", DOCUMENT, "a")
    assert FILE in asked.body
    assert b'name="file"; filename="a.pdf"' in asked.body


@pytest.mark.parametrize(
    ("source", "kind", "what"),
    [
        (None, NexusConfigurationError, "source is None"),
        ("/data/None/a.pdf", NexusConfigurationError, "'None' in it"),
        ("a.pdf", NexusConfigurationError, "which begins at no known folder"),
        ("/tmp", NexusConfigurationError, "a folder: name the file in it"),
        ("/nowhere/a.pdf", NexusStorageError, "there is no such file: nothing was sent"),
        ("s3://laek-prod/a.pdf", NexusStorageError, "there is no such file: nothing was sent"),
    ],
)
def test_a_source_that_is_none(source: Any, kind: type[Exception], what: str) -> None:
    bucket_of(BucketFileSystem("laek-prod"))
    with served(TAKEN) as server, connection(server), pytest.raises(kind) as caught:  # type: ignore[arg-type]
        NexusHook().upload(DOCUMENT, source, fields=FIELDS)
    assert what in str(caught.value)
    assert server.connections == 0


def test_an_upload_needs_leave(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(FILE)
    without = {"extra": {"allow_writes": False}}
    with served(TAKEN) as server, connection(server, **without), pytest.raises(NexusWriteRefusedError):  # type: ignore[arg-type]
        NexusHook().upload(DOCUMENT, tmp_path / "a.pdf", fields=FIELDS)
    assert server.connections == 0


def test_an_upload_of_unknown_fate_is_not_tried_again_by_airflow(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(FILE)
    fields = {"customerCode": "C1"}  # without a filePath it can't be looked up
    with served(drop) as server, connection(server), pytest.raises(NexusAmbiguousWriteError) as caught:  # type: ignore[arg-type]
        NexusHook().upload(DOCUMENT, tmp_path / "a.pdf", fields=fields)
    assert isinstance(caught.value, AirflowFailException)
    assert len(server.asked) == 1


def test_headers_of_a_run() -> None:
    with served(TAKEN) as server, connection(server):  # type: ignore[arg-type]
        NexusHook().run("GET", "/orders", headers={"customer_ip_address": "203.0.113.7"})
        with pytest.raises(NexusConfigurationError, match="the token comes from the connection alone"):
            NexusHook().run("GET", "/orders", headers={"authorization": "x"})
    assert [asked.headers.get("customer_ip_address") for asked in server.asked] == ["203.0.113.7"]
