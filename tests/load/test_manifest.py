"""A manifest is read into one type, refused member by member, and written back as it came."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus import __version__
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.load.manifest import parse, to_json
from tests.load.manifests import NOTHING, WHOLE, manifest_of

COUNTS = {"inserted": 1, "updated": 2, "deleted": 0}
FILE = {"name": "part-00000.parquet", "bytes": 1, "records": 1, "sha256": "a" * 64}
OPTIONAL: dict[str, Any] = {
    "untyped": {"isBusiness": 2},
    "files": [FILE],
    "content": NOTHING,
    "totals": [{"status": "PAID", "currency": "EUR", "flag": None, "count": 1, "sums": {"amount": "-1.50"}}],
    "changes": COUNTS,
    "patches": [{"read_at": "2026-01-04T00:00:00Z", "read_by": "open", **COUNTS}],
    "previous": {"window": "20251231T000000Z-20260101T000000Z", "sha256": "b" * 64},
    "replaces": "c" * 64,
    "first": {"key": "K", "stamp": "2026-01-01T00:00:00"},
    "rejected": [FILE | {"name": "_rejected/records.jsonl"}],
    "sums": {"amount": {"EUR": "12345678901234567890.123456789012345678"}},
    "days": [
        {"day": "", "records": 1},
        {"day": "2026-01-02", "records": 2, "sums": {"amount": {"EUR": "12345678901234567890.123456789012345678"}}},
    ],
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
UNKNOWN = st.dictionaries(st.text(max_size=6) | st.just("unknown"), JSON, max_size=2)


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a manifest that have members of their own."""
    places = [value["window"], value["proof"], value["schema"], value.get("changes"), value.get("previous"), value["first"]]
    return [each for each in (value, *places, *value["days"], *value.get("files", ()), *value.get("patches", ())) if each]


def written(value: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sets(st.sampled_from(sorted(OPTIONAL))))
def test_what_is_read_is_written_back_unknown_members_too(data: st.DataObject, given_members: set[str]) -> None:
    value = json.loads(json.dumps({**WHOLE, "files": [], **{name: OPTIONAL[name] for name in given_members}}))
    for each in objects(value):
        each |= {name: more for name, more in data.draw(UNKNOWN).items() if name not in each and name not in OPTIONAL}
    raw = written(value)
    manifest = parse(raw, "here")
    assert to_json(manifest) == raw
    assert parse(to_json(msgspec.structs.replace(manifest, records=7)), "here").dump() == manifest.dump() | {"records": 7}


def read(value: dict[str, Any]) -> tuple[dict[str, Any], NexusDataError | None]:
    """What is written back, or why it can't be read."""
    try:
        return json.loads(to_json(parse(written(value), "here"))), None
    except NexusDataError as error:
        return {}, error


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted({*WHOLE, *OPTIONAL, "state", "load"} - {"manifest_version"})), JSON)
def test_any_value_of_a_member_is_taken_as_it_is_or_refused_by_name(name: str, value: object) -> None:
    taken, refused = read({**WHOLE, "files": [], name: value})
    if refused:
        assert refused.field.split(".")[0] == name
        assert "; move it away and sync again" in str(refused)
    else:
        assert taken.get(name) in (value, None)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("records", -1, "field 'records' holds -1, which is not a count"),
        ("records", True, "field 'records' holds True, which is not a count"),
        ("proof", None, "field 'proof' holds None, which is not an object"),
        ("proof", {}, "field 'proof.verdict' holds None, which is not what a whole manifest has there"),
        ("proof", WHOLE["proof"] | {"total_last": "all"}, "field 'proof.total_last' holds 'all', which is not a count or null"),
        ("window", "January", "field 'window' holds 'January', which is not an object or null"),
        ("files", {}, "field 'files' holds {}, which is not a list"),
        ("files", [FILE | {"name": "../x"}], "field 'files.name' holds '../x', which is not a name that a sync gives to a file"),
        ("sums", {"amount": {"EUR": "NaN"}}, "which is not sums in digits, by field and currency"),
        ("days", [{"day": "1 May", "records": 1}], "field 'days.day' holds '1 May', which is not a day, a month or a year"),
        ("days", [{"day": "2026-02-30", "records": 1}], "field 'days.day' holds '2026-02-30', which is not a day, a month or a"),
        ("days", [{"day": "2026-01-01\n", "records": 1}], r"field 'days.day' holds '2026-01-01\n', which is not a day"),
        ("days", [{"day": "0000", "records": 1}], "field 'days.day' holds '0000', which is not a day"),
        ("days", [{"day": "2026", "records": -1}], "field 'days.records' holds -1, which is not a count"),
        ("read_at", "yesterday", "field 'read_at' holds 'yesterday', which is not a moment"),
        ("previous", "x", "field 'previous' holds 'x', which is not an object or the window before or null"),
        ("key_digest", "a" * 64, "which is not the digest of a set"),
        ("run", [], "field 'run' holds [], which is not an object"),
        ("protected", {"a": 1}, "field 'protected' holds {'a': 1}, which is not an object of texts"),
    ],
)
def test_what_is_not_as_declared_is_named(member: str, value: object, said: str) -> None:
    with pytest.raises(NexusDataError) as caught:
        parse(written({**WHOLE, member: value}), "here")
    assert said in str(caught.value)
    assert str(caught.value).startswith("manifest record here: ")


@pytest.mark.parametrize("version", [2, 0, "1", None, [1], 1.5])
@pytest.mark.parametrize("members", [WHOLE, {}])
def test_a_manifest_of_another_version_is_refused_whatever_else_is_in_it(version: object, members: dict[str, Any]) -> None:
    """Its members may mean something else, also where they fit."""
    with pytest.raises(NexusDataError) as caught:
        parse(written({**members, "manifest_version": version}), "here")
    said = f"field 'manifest_version' holds {version!r}, which is not 1, the only version that provider {__version__} reads"
    assert f"{said}: upgrade the provider" in str(caught.value)


def test_a_manifest_of_a_table_names_no_files() -> None:
    assert "files" not in manifest_of(format="table").dump()
    assert manifest_of(format="jsonl").dump()["files"] == []
