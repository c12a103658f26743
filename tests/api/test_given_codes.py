"""Codes and other texts as users give them: one, several, rendered, and what is neither."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.codes import code_of, codes_of, texts_of
from airflow_provider_nexus.exceptions import NexusConfigurationError


@pytest.mark.parametrize(
    ("given_as", "codes"),
    [
        ("C0000000", ("C0000000",)),
        ("10000001", ("10000001",)),
        ("007", ("007",)),
        ("1e5", ("1e5",)),
        ("a,b", ("a,b",)),
        ("[C1", ("[C1",)),
        ("['C1', 'C2']", ("C1", "C2")),
        ('["C1", "C2"]', ("C1", "C2")),
        ("('C1', 'C2')", ("C1", "C2")),
        (" ['C1'] ", ("C1",)),
        ("{'C1'}", ("C1",)),
        ("[]", ()),
        (["C1", "C2"], ("C1", "C2")),
        (("C1",), ("C1",)),
        ({"C2", "C1"}, ("C1", "C2")),
        ((code for code in ("C1", "C2")), ("C1", "C2")),
        ({"C1": 1, "C2": 2}.keys(), ("C1", "C2")),
        (["C1", "C1"], ("C1",)),
        ([], ()),
    ],
)
def test_codes(given_as: Any, codes: tuple[str, ...]) -> None:
    assert codes_of(given_as) == codes


@pytest.mark.parametrize(
    "nonsense",
    [
        *(10000001, 1.5, True, None, b"C1", {"C1": 1}, object()),
        *([10000001], ["C1", None], ["C1", 2], [["C1"]], "[10000001]", "[None]", "{'C1': 1}", "[C1]", "[['C1']]"),
        *("", " ", "None", ".", "..", "C\n1", " C1", ["C1", ""], ["None"], "['']", "['None']"),
    ],
)
def test_what_is_no_code_is_named(nonsense: Any) -> None:
    with pytest.raises(NexusConfigurationError, match="the customer's code"):
        codes_of(nonsense, "customer's code")


def test_a_number_says_how_to_keep_it_a_text() -> None:
    with pytest.raises(NexusConfigurationError, match="give it in quotes"):
        code_of(10000001)
    with pytest.raises(NexusConfigurationError, match="give it in quotes"):
        texts_of([10000001], "status")


@given(
    st.lists(
        st.text(min_size=1).filter(lambda text: text.strip() == text and text.isprintable() and text not in (".", "..", "None"))
    )
)
def test_a_list_is_the_same_however_it_is_rendered(codes: list[str]) -> None:
    once = tuple(dict.fromkeys(codes))
    assert codes_of(codes) == codes_of(str(codes)) == codes_of(json.dumps(codes)) == once
