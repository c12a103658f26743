"""Collections without a window, and children, under each setting of the server: delivered exactly or called unproved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_nexus.api.envelope import inject
from airflow_provider_nexus.api.resource import Shape
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.exceptions import NexusNotFoundError
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of
from tests.extract.walks.test_on_any_server import PLAIN, SETTINGS

WHOLE = [name for name, resource in RESOURCES.items() if not resource.is_windowed and not resource.parent]
CHILDREN = [name for name, resource in RESOURCES.items() if resource.parent and resource.shape is Shape.PAGED]
QUIET = [name for name in SETTINGS if name not in ("late rows", "deleted rows")]


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(customers=40, transactions=300, days=2, clock_speed=0, amounts="awkward") as sandbox:
        yield sandbox


def read(sandbox: Sandbox, resource: str, parent: str = "", page_size: int = 50) -> tuple[Proof, list[bytes]]:
    client = client_of(sandbox)
    reading = Reading(Source(client, get_resource(resource), parent=parent, page_size=page_size), None)
    rows = read_all(reading)
    client.session.close()
    return reading.proof, sorted(row.raw for row in rows)


def check(proof: Proof, rows: list[bytes], truth: list[bytes], changes: dict[str, Any], *, paged: bool) -> None:
    if paged and changes.get("total_error"):
        assert proof.verdict is Verdict.UNPROVED
        assert proof.reasons
    else:
        assert proof.verdict is Verdict.PROVED, proof
        assert sorted(map(without_mark, rows)) == sorted(truth)


def without_mark(row: bytes) -> bytes:
    """A record without what says which list it stood in."""
    return re.sub(rb'^{"reserveKind":"\w+",', b"{", row)


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("resource", WHOLE)
def test_each_setting(server: Sandbox, name: str, resource: str) -> None:
    server.configure(**{**PLAIN, **SETTINGS[name]})
    server.reset()
    proof, rows = read(server, resource)
    check(proof, rows, server.truth(resource), SETTINGS[name], paged=RESOURCES[resource].shape is Shape.PAGED)


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("resource", CHILDREN)
def test_each_setting_for_children(server: Sandbox, name: str, resource: str) -> None:
    server.configure(**{**PLAIN, **SETTINGS[name], "other_shapes": ("trace_pages",)})
    server.reset()
    entry = RESOURCES[resource]
    parents = [json.loads(raw)[RESOURCES[entry.parent].key[0]] for raw in server.truth(entry.parent)[:60]]
    busiest = max(parents, key=lambda code: len(server.truth(resource, parent=code)))
    whose = {entry.parent_field: json.dumps(busiest).encode()}
    truth = [inject(raw, whose) for raw in server.truth(resource, parent=busiest)]
    assert truth, "a parent without children proves nothing"
    proof, rows = read(server, resource, busiest, page_size=10)
    assert len(rows) == len(truth) or SETTINGS[name].get("total_error")
    check(proof, rows, truth, SETTINGS[name], paged=True)


def test_a_list_of_one_page_is_whole_or_refused(server: Sandbox) -> None:
    """Traces take no page number that a source shows: the first page comes again and again."""
    server.configure(**{**PLAIN, "other_shapes": ()})
    server.reset()
    codes = [json.loads(raw)["customerCode"] for raw in server.truth("customers")]
    busiest = max(codes, key=lambda code: len(server.truth("customer_traces", parent=code)))
    for room in (100, 50, 40, 10):
        proof, rows = read(server, "customer_traces", busiest, page_size=room)
        assert proof.verdict is Verdict.PROVED, proof
        assert len(rows) == len(server.truth("customer_traces", parent=busiest)) == 40
    for room in (39, 7, 1):
        server.configure(max_limit=room, default_limit=room)
        proof, rows = read(server, "customer_traces", busiest)
        assert proof.verdict is Verdict.UNPROVED
        assert proof.reasons[0] == f"the server gives its first page for the second too: {room} records of 40 can be read"
    server.configure(max_limit=None, default_limit=50)


@pytest.mark.parametrize("name", ["late rows", "deleted rows"])
@pytest.mark.parametrize("resource", [*WHOLE, *CHILDREN])
def test_while_the_set_changes(server: Sandbox, name: str, resource: str) -> None:
    """What was there before and after is delivered, each record once, or the reading is called unproved."""
    server.configure(**{**PLAIN, **SETTINGS[name], "seconds_per_call": 0.2})
    server.reset()
    entry = RESOURCES[resource]
    parent = json.loads(server.truth(entry.parent)[0])[RESOURCES[entry.parent].key[0]] if entry.parent else ""
    before = {key_of(resource, raw) for raw in server.truth(resource, parent=parent)}
    try:
        proof, rows = read(server, resource, parent, page_size=10)
        after = {key_of(resource, raw) for raw in server.truth(resource, parent=parent)}
    except (NexusNotFoundError, LookupError):
        return  # the parent itself was deleted, which is said aloud
    given = [key_of(resource, raw) for raw in rows]
    assert len(given) == len(set(given))
    if proof.is_complete:
        assert (before & after) <= set(given)


def key_of(resource: str, raw: bytes) -> bytes:
    """What tells a record from another: its key, less what the reader itself puts into it."""
    entry, row = RESOURCES[resource], json.loads(raw)
    added = (entry.holder_field, entry.parent_field)
    return json.dumps([row.get(name.split(".")[0]) for name in entry.key if name not in added]).encode()
