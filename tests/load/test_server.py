"""Two servers of one name are not kept in one folder, whatever brings the records; one server in two spellings is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.collection import is_same, refuse_another
from airflow_provider_nexus.load.manifest import NAME, digest_of
from airflow_provider_nexus.replay import rejected as replaying
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.verify.against_nexus import files_against_nexus
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import capture, hours_of, put, with_field

HELD = "contains another copy: base url 'http://127.0.0.1:{}', not 'http://127.0.0.1:{}'. Give this one a path of its own."


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Sandbox, Sandbox]]:
    """Two of one name with other records."""
    with sandbox_and_client(seed=1) as (one, _), sandbox_and_client(seed=2) as (other, _):
        yield one, other


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def told(one: Sandbox, other: Sandbox) -> str:
    return HELD.format(*(each.base_url.rpartition(":")[2] for each in (one, other)))


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("transactions", (24, 12), (24, 12)),
        ("transactions", (24, 12), (12, 0)),
        ("transactions", (12, 0), (24, 12)),
        ("balances", None, None),
    ],
    ids=["the same window", "the next window", "an earlier window", "a snapshot"],
)
def test_a_sync_is_refused(
    servers: tuple[Sandbox, Sandbox],
    tmp_path: Path,
    file_format: str,
    name: str,
    first: tuple[int, int] | None,
    second: tuple[int, int] | None,
) -> None:
    one, other = servers
    requests = [hours_of(each, start=span[0], until=span[1]) if span else None for each, span in ((one, first), (other, second))]
    put(client_of(one), tmp_path, name, requests[0], file_format)
    before = content(tmp_path)
    with pytest.raises(NexusConfigurationError) as caught:
        put(client_of(other), tmp_path, name, requests[1], file_format)
    assert str(caught.value) == f"{tmp_path}/sandbox/{name} {told(one, other)}"
    assert content(tmp_path) == before


@pytest.mark.parametrize("history", [False, True])
def test_a_capture_is_refused(servers: tuple[Sandbox, Sandbox], tmp_path: Path, history: bool) -> None:
    one, other = servers
    start = hours_of(one, start=24, until=0).start
    assert start
    capture(one, tmp_path, "transactions", start, history=history)
    before = content(tmp_path)
    other.advance(seconds=3_600)
    with pytest.raises(NexusConfigurationError, match="contains another copy: base url"):
        capture(other, tmp_path, "transactions", start, history=history)
    assert content(tmp_path) == before


def test_a_window_that_was_withdrawn_is_still_of_its_server(servers: tuple[Sandbox, Sandbox], tmp_path: Path) -> None:
    one, other = servers
    folder = put(client_of(one), tmp_path, "transactions", hours_of(one, start=24, until=0))
    raw = (folder / NAME).read_bytes()
    (folder / "_superseded").mkdir()
    (folder / NAME).rename(folder / "_superseded" / f"{digest_of(raw)}.json")
    with pytest.raises(NexusConfigurationError, match="contains another copy"):
        put(client_of(other), tmp_path, "transactions", hours_of(other, start=24, until=0))


def test_verify_tells_of_windows_of_two_servers_and_replay_keeps_them_apart(
    servers: tuple[Sandbox, Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = servers
    places = [tmp_path / each for each in ("a", "b")]
    misread = with_field(get_resource("transactions"), "created", kind="integer")
    with monkeypatch.context() as patched:
        patched.setattr("tests.load.storing.get_resource", lambda name: misread)
        requested = hours_of(one, start=24, until=12)
        first = put(client_of(one), places[0], "transactions", requested, "parquet", max_rejected=10_000)
    second = put(client_of(other), places[1], "transactions", hours_of(other, start=12, until=0), "parquet")
    second.rename(first.parent / second.name)
    problems = [line.what for line in verify(places[0]).problems]
    assert [line for line in problems if "more than one server" in line]
    before = content(places[0])
    with pytest.raises(NexusConfigurationError, match="contains another copy"):
        replaying.replay(places[0])
    assert content(places[0]) == before


SPELLINGS: list[Callable[[str], str]] = [str.upper, lambda url: url + "/", lambda url: f"  {url} "]


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_one_server_in_another_spelling_is_the_same(
    servers: tuple[Sandbox, Sandbox], tmp_path: Path, spelt: Callable[[str], str]
) -> None:
    client = client_of(servers[0])
    folder = put(client, tmp_path, "transactions", hours_of(servers[0], start=24, until=12))
    manifest = json.loads((folder / NAME).read_bytes())
    manifest["base_url"] = spelt(manifest["base_url"])
    (folder / NAME).write_text(json.dumps(manifest))
    put(client, tmp_path, "transactions", hours_of(servers[0], start=12, until=0))
    report = files_against_nexus(tmp_path, client)
    assert not [note for note in report.notes if "elsewhere" in note.what]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://Nexus.Example.com", "https://nexus.example.com:443/", True),
        ("https://nexus.example.com", "https://nexus.example.com:8443", False),
        ("http://127.0.0.1", "http://127.0.0.1:80", True),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", False),
        ("https://a.example.com", "https://b.example.com", False),
        ("http://a.example.com/", "http://A.example.com", True),
        ("", "https://b.example.com", True),
        (None, "https://b.example.com", True),
    ],
)
def test_spellings(one: object, other: object, same: bool) -> None:
    assert is_same(one, other) is same
    assert is_same(other, one) is same


def test_what_is_not_there_belongs_to_nobody(tmp_path: Path) -> None:
    refuse_another(tmp_path / "nowhere", "https://b.example.com")
