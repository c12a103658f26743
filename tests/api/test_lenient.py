"""What the lenient parser takes apart is what the strict one does, and unpaired surrogates besides."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api import lenient

TEXT = st.text(st.characters(codec=None, categories=None), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4), st.sampled_from([None, 1]))
def test_members_keep_their_bytes(record: dict[str, Any], indent: int | None) -> None:
    raw = json.dumps(record, indent=indent).encode()
    found = lenient.members(raw)
    assert {name: json.loads(bytes(value)) for name, value in found.items()} == json.loads(raw)
    assert all(bytes(value) in raw for value in found.values())
    assert json.loads(lenient.join(found)) == json.loads(raw)


@given(st.lists(VALUES, max_size=4))
def test_items_keep_their_bytes(record: list[Any]) -> None:
    raw = json.dumps(record).encode()
    assert b"[%b]" % b", ".join(bytes(item) for item in lenient.items(raw)) == raw


@pytest.mark.parametrize(
    "raw",
    [
        rb'{"a":"\ud800"',
        rb'{"a":"\ud800"}}',
        rb'{"a":"\ud800",}',
        rb'{"a":"\ud800" "b":1}',
        rb'{"a":"\ud800","b":NaN}',
        rb'{1:"\ud800"}',
        rb'["\ud800"]',
        rb'"\ud800"',
    ],
)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        lenient.members(raw)


def test_digits_and_letters_stay_as_they_were_sent() -> None:
    raw = '{"é":1.50,"b":[1E+2, "\\ud800"],"c":"\\u00e9é"}'.encode()
    assert {name: bytes(value) for name, value in lenient.members(raw).items()} == {
        "é": b"1.50",
        "b": rb'[1E+2, "\ud800"]',
        "c": '"\\u00e9é"'.encode(),
    }
