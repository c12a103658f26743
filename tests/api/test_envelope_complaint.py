from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_nexus.api import envelope
from tests.api.test_envelope import wrapped


class Counting:
    """Stands for a pattern, and keeps the length of each text that it is given."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern, self.lengths = pattern, [0]

    def sub(self, by: str, text: str) -> str:
        self.lengths.append(len(text))
        return self.pattern.sub(by, text)


LONG = 200_000
SECRETS = (
    "jan.de-vries+x@mail.example.nl",
    "NL91ABNA0417164300",
    "NL91 ABNA 0417 1643 00",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "0612345678",
)


class TestLength:
    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("unit", ["a", "a.", "eyJ", "1", "x@", "é", "𐍈", "NL91 ABNA ", "a "])
    @pytest.mark.parametrize(
        "form",
        [
            lambda text: {"message": text},
            lambda text: {"errors": [text, text]},
            lambda text: {"errors": text},
            lambda text: {"errors": {text: text}},
            lambda text: {"title": [text]},
            lambda text: text,
        ],
    )
    def test_the_patterns_see_the_beginning_only(self, unit: str, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        pattern = Counting(envelope._PERSONAL)
        monkeypatch.setattr(envelope, "_PERSONAL", pattern)
        said = envelope.complaint(json.dumps(form(unit * (LONG // len(unit))), ensure_ascii=False).encode())
        assert max(pattern.lengths) <= 1200
        assert all(len(text) <= 300 for text in (*said.codes, said.detail, said.excerpt))

    @pytest.mark.parametrize("secret", SECRETS)
    @pytest.mark.parametrize("blank", [" " * 1000, "&" * 200, '","' * 60])
    def test_nothing_is_left_of_what_is_cut_in_the_middle(self, secret: str, blank: str) -> None:
        for place in range(len(secret) + 2):
            before = (blank * 9)[: 1200 - place]
            said = envelope.redact(before + secret + " and so on")
            for length in range(5, len(secret) + 1):
                assert secret[:length] not in said

    def test_the_number_of_codes(self) -> None:
        said = envelope.complaint(json.dumps({"errors": [f"E{number}" for number in range(9999)]}).encode())
        assert said.codes == tuple(f"E{number}" for number in range(20))

    @pytest.mark.parametrize("depth", [1, 100, 480, 900, 100_000])
    @pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
    def test_depth_is_no_crash(self, depth: int, opening: bytes, closing: bytes) -> None:
        body = b'{"errors":["A"],"values":' + opening * depth + b'{"orderCode":"O1"}' + closing * depth + b"}"
        assert envelope.complaint(body).names_record

    @pytest.mark.parametrize(
        "form", ['{"message":"%s","values":{"OrderCode":"O1"}}', '{"\\ud800":1,"values":{"orderCode":"O1"}}%s', "%s{"]
    )
    @pytest.mark.parametrize("length", [0, 1_000_001])
    def test_a_record_is_found_in_what_is_not_decoded(self, form: str, length: int) -> None:
        assert envelope.complaint((form % ("a" * length)).encode()).names_record is ("rderCode" in form)


class TestComplaint:
    def said(self, body: bytes) -> tuple[tuple[str, ...], str]:
        complaint = envelope.complaint(body)
        return complaint.codes, complaint.detail

    @pytest.mark.parametrize(
        ("body", "codes", "detail"),
        [
            (b"", (), ""),
            (b"<html><h1>502 Bad Gateway</h1></html>", (), ""),
            (b"\xff\xfe\x00", (), ""),
            (b"[1]", (), ""),
            (b"null", (), ""),
            (b"[" * 100_000, (), ""),
            (wrapped("null"), (), "Successfully processed your request"),
            (b'{"message":"no","errors":["A","B"],"values":null}', ("A", "B"), "no"),
            (b'{"Message":"no","Errors":["A"]}', ("A",), "no"),
            (b'{"message":null,"errors":"A"}', ("A",), ""),
            (b'{"type":"t","title":"Not Found","status":404,"detail":"no such crypto","instance":"/p"}', (), "no such crypto"),
            (b'{"title":"Not Found","status":404}', (), "Not Found"),
            (b'{"message":["a",1]}', (), "['a', 1]"),
        ],
    )
    def test_every_form(self, body: bytes, codes: tuple[str, ...], detail: str) -> None:
        assert self.said(body) == (codes, detail)

    def test_excerpt_is_short_and_on_one_line(self) -> None:
        excerpt = envelope.complaint(b"<html>\n\n  <b>" + b"word " * 1000).excerpt
        assert excerpt.startswith("<html> <b>word word")
        assert len(excerpt) <= 300

    @pytest.mark.parametrize(
        "secret",
        [
            "jan.de-vries+x@mail.example.nl",
            "NL91ABNA0417164300",
            "nl91abna0417164300",
            "NL91 ABNA 0417 1643 00",
            "DE89370400440532013000",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "0612345678",
            "12345678",
        ],
    )
    @pytest.mark.parametrize(
        "form", ['{{"message":"about {}.","errors":["E {}"],"values":["{}"]}}', '{{"title":"{}","x":"{} {}"}}', "<p>{} {} {}</p>"]
    )
    def test_personal_data_is_blanked(self, secret: str, form: str) -> None:
        complaint = envelope.complaint(form.format(secret, secret, secret).encode())
        assert secret not in repr(complaint)
        assert "***" in complaint.excerpt

    @pytest.mark.parametrize("text", ["ERRORMESSAGE007", "InvalidQueryParameter", "limit is 1234567", "BTC-EUR at 2026-01-02"])
    def test_the_rest_stays(self, text: str) -> None:
        assert envelope.redact(text) == text
