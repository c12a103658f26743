from __future__ import annotations

import pytest

from airflow_provider_nexus.api import envelope
from tests.api.test_envelope import wrapped


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
