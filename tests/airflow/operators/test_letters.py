"""A mail goes out as it is in Nexus, or not at all."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from email import message_from_bytes, message_from_string, policy
from email.utils import getaddresses
from inspect import signature
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.exceptions import NexusAmbiguousMailError, NexusUnsentMailError
from airflow_provider_nexus.operators._letter import parse_addresses
from airflow_provider_nexus.operators._smtp import prepare
from tests.airflow.operators.mail_server import MailServer, Taken, post_office

CODE = "6f1c2c1e-96a5-4a36-b1d5-0f6f8e2f3a11"
JANE = "jane@example.org"
LOG = logging.getLogger("letters")

SUBJECTS = [
    "Your order",
    "Zażółć gęślą jaźń: 1,5 €",
    "日本語の件名 " * 40,
    "word " * 400,
    "x" * 2000,
    "é" * 2000,
    "a  b\tc",
    "To: (x) <y@z>; \"q\" 'r' \\, Bcc: x@y",
    "\u202eright to left\u200b",
]
BAD_SUBJECTS = [
    "Hi\r\nBcc: x@example.org",
    "Hi\nBcc: x@example.org",
    "Hi\r\n\r\nall else",
    "Hi\n",
    "\rHi",
    "Hi\0there",
    "Hi\u2028there",
    "Hi\x85there",
    "half \ud800",
    "=?utf-8?q?a=0D=0ABcc:_x=40example.org?=",
]
RECIPIENTS = [
    ("jane@example.org   ", ["jane@example.org"]),
    ('"Doe, Jane" <jane@example.org>', ["jane@example.org"]),
    ('"Döe, Jäne" <jane@example.org>, jack@example.org', ["jane@example.org", "jack@example.org"]),
    (f'"{"Doe, Jane " * 30}" <jane@example.org>', ["jane@example.org"]),
    (f'"{"Дж, " * 60}" <jane@example.org>,{JANE}', ["jane@example.org"]),
    ("J. R. O'Doe <jane@example.org>,, ,", ["jane@example.org"]),
    (r'"a \"b\" \\ c" <jane@example.org>', ["jane@example.org"]),
    ("jane@bücher.example", ["jane@xn--bcher-kva.example"]),
    (",".join(f'"N, {n}" <n{n}@example.org>' for n in range(50)), [f"n{n}@example.org" for n in range(50)]),
]
BAD_RECIPIENTS = [
    "jane",
    "jane@",
    "@example.org",
    "jane@b@example.org",
    "jane@example.org\r\nBcc: x@example.org",
    "jane@example.org\n",
    "jane@exa\0mple.org",
    "jane@example.org\ud800",
    "jane@example.org; jack@example.org",
    "Doe, Jane <jane@example.org>",
    "jane@example.org)jack@example.org",
    "jane@example.org <jack@example.org>",
    "jane@example.org (Jane)",
    "friends: jane@example.org, jack@example.org;",
    '"Doe, Jane <jane@example.org>',
    "<jane@example.org",
    "<@relay.example:jane@example.org>",
    "jane doe@example.org",
    '"jane@home"@example.org',
    "jane@[127.0.0.1]",
    "ja..ne@example.org",
    "jane@exa mple.org",
    "jane@-.org",
    "jane@straße.example",
    "jane@\uff45xample.org",
    "=?utf-8?q?a=0D=0ABcc:_x=40example.org?= <jane@example.org>",
    "=?utf-8?q?jane?=@example.org",
    f"jane@{'a' * 300}",
    "(" * 20_000 + "jane@example.org",
    5,
]
CONTENTS = [
    ("one\r\n.\r\n..two\rthree\n\nQUIT\r\n", None),
    (None, "<p>é</p>" * 2000),
    ("text\0\x1b", "<b>html</b>\n.\n"),
    ("日本語\u2028\n", "From: x\r\n\r\n--===="),
]


@pytest.fixture
def post() -> Iterator[MailServer]:
    with post_office() as server:
        yield server


def mail_of(email: object = JANE, subject: object = "Hi", text: object = "Hello", **others: object) -> dict[str, Any]:
    recipient = {"email": email, "cc": others.get("cc"), "bcc": others.get("bcc")}
    return {
        "code": others.get("code", CODE),
        "recipient": recipient,
        "content": {"subject": subject, "html": others.get("html"), "text": text},
    }


def send(mail: dict[str, Any], from_email: str | None = None) -> None:
    prepare(mail, smtp_conn_id="smtp_default", from_email=from_email, log=LOG)()


def squeezed(text: str) -> str:
    """Blanks and tabs: how many there are is not held to, nor those at the ends."""
    return re.sub("[ \t]+", " ", text).strip(" \t")


def lines(text: str) -> str:
    """Line breaks: of which kind they are is not held to, nor whether the last line has one."""
    return re.sub("\r\n?", "\n", text).removesuffix("\n")


def read_by_python(text: str) -> list[str]:
    """The addresses in a text, domains in ASCII. Where Python can be strict, it takes no empty pieces."""
    lenient: dict[str, Any] = {"strict": False} if "strict" in signature(getaddresses).parameters else {}
    found = [address.rpartition("@") for _, address in getaddresses([text], **lenient) if address]
    return [f"{local}@{domain.encode('idna').decode()}" for local, _, domain in found]


def assert_arrived(taken: Taken, mail: dict[str, Any], envelope: list[str]) -> None:
    """What was taken reads as what was given, by two readers; all characters but those two are held to."""
    read = message_from_string(taken.data.decode(), policy=policy.default)
    content = mail["content"]
    assert taken.recipients == envelope
    assert read.keys()[:2] == ["From", "To"]
    assert set(read.keys()) <= {
        *("From", "To", "Cc", "Subject", "Date", "Message-ID"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    }
    assert len(read.keys()) == len(set(read.keys()))
    assert squeezed(read["Subject"]) == squeezed(content["subject"])
    assert read["Message-ID"] == f"<{CODE}@nexus.invalid>"
    assert not read.defects
    parts = [part for part in read.walk() if not part.is_multipart()]
    expected = [(kind, lines(content[name])) for kind, name in (("text/plain", "text"), ("text/html", "html")) if content[name]]
    assert [(part.get_content_type(), lines(part.get_content())) for part in parts] == expected
    if taken.data.isascii():
        plain = message_from_bytes(taken.data)
        shown = [address for _, address in getaddresses([*plain.get_all("To", []), *plain.get_all("Cc", [])])]
        assert list(dict.fromkeys(shown)) == envelope[: len(set(shown))]


@pytest.mark.parametrize("number", range(len(SUBJECTS)))
def test_what_is_taken_is_what_was_given(post: MailServer, number: int) -> None:
    for (to, envelope), (text, html) in product(RECIPIENTS, CONTENTS):
        mail = mail_of(to, SUBJECTS[number], text, html=html)
        send(mail)
        assert_arrived(post.taken.pop(), mail, envelope)


@pytest.mark.parametrize("subject", BAD_SUBJECTS)
def test_subjects_that_are_refused(post: MailServer, subject: str) -> None:
    with pytest.raises(NexusUnsentMailError, match=rf"mail {CODE}: content.subject .*; nothing was sent"):
        send(mail_of(subject=subject))
    assert post.verbs == []


@pytest.mark.parametrize("member", ["email", "cc", "bcc"])
@pytest.mark.parametrize("address", BAD_RECIPIENTS)
def test_recipients_that_are_refused(post: MailServer, member: str, address: object) -> None:
    others = {"email": JANE} | {member: address}
    with pytest.raises(NexusUnsentMailError, match=rf"mail {CODE}: recipient.{member} .*; nothing was sent") as caught:
        send(mail_of(**others))
    assert "jane" not in str(caught.value)
    assert caught.value.__context__ is None or "jane" not in str(caught.value.__context__)
    assert post.verbs == []


@pytest.mark.parametrize("sender", ["a@example.org, b@example.org", "broker", "a@example.org\r\nBcc: x@example.org", " , "])
def test_senders_that_are_refused(post: MailServer, sender: str) -> None:
    with pytest.raises(NexusUnsentMailError, match=f"mail {CODE}: from_email"):
        send(mail_of(), sender)
    assert post.verbs == []


@pytest.mark.parametrize("text", ["half \ud800", 7])
@pytest.mark.parametrize("member", ["text", "html"])
def test_texts_that_are_refused(post: MailServer, member: str, text: object) -> None:
    with pytest.raises(NexusUnsentMailError, match=f"mail {CODE}: content.{member}"):
        send(mail_of(**{member: text}))
    assert post.verbs == []


@pytest.mark.parametrize("missing", [{"email": None}, {"email": " , "}, {"subject": " "}, {"text": None}, {"code": "a b"}])
def test_mails_that_lack_something(post: MailServer, missing: dict[str, Any]) -> None:
    with pytest.raises(NexusUnsentMailError, match=r"lacks|code"):
        send(mail_of(**missing))
    assert post.verbs == []


def test_a_hidden_copy_is_in_the_envelope_alone(post: MailServer) -> None:
    send(
        mail_of('"Doe, Jane" <jane@example.org>', cc=f"Jack <jack@example.org>,{JANE}", bcc="joe@example.org"),
        "Broker <b@example.org>",
    )
    (taken,) = post.taken
    assert (taken.sender, taken.recipients) == ("b@example.org", ["jane@example.org", "jack@example.org", "joe@example.org"])
    assert b"joe@" not in taken.data
    assert taken.message["From"] == "Broker <b@example.org>"
    assert getaddresses([taken.message["To"]]) == [("Doe, Jane", JANE)]
    assert getaddresses([taken.message["Cc"]]) == [("Jack", "jack@example.org"), ("", JANE)]


@pytest.mark.parametrize("member", ["email", "cc", "bcc"])
def test_addresses_beyond_ascii_need_a_server_that_takes_them(post: MailServer, member: str) -> None:
    mail = mail_of(**({"email": JANE} | {member: '"Дж, Я" <почта@example.org>'}))
    with pytest.raises(NexusUnsentMailError, match="SMTPUTF8") as caught:
        send(mail)
    assert not isinstance(caught.value, NexusAmbiguousMailError)
    assert "MAIL" not in post.verbs
    post.offers_utf8 = True
    send(mail)
    assert_arrived(post.taken[0], mail, list(dict.fromkeys([JANE, "почта@example.org"]))[member == "email" :])


nasty = st.sampled_from(
    [
        "\r\n",
        "\n",
        "\r",
        "\0",
        "\t",
        " ",
        ",",
        ";",
        ":",
        '"',
        "\\",
        "<",
        ">",
        "(",
        ")",
        "@",
        ".",
        "=?utf-8?q?",
        "?=",
        "=0A",
        "é",
        "日本",
        "\ud800",
    ]
)
names = st.lists(st.sampled_from(["Doe", ",", " ", "é", '"', "\\", "日本語", "<x@y>", "(", "a" * 40, "."]), max_size=12).map(
    "".join
)
people_of = st.tuples(names, st.sampled_from(["jane@example.org", "j.d+x@example.org", "o'doe@a.example"]))
wild = st.lists(nasty | st.sampled_from(["jane", "example.org", "jane@example.org", "Bcc: x@example.org"]), max_size=8).map(
    "".join
)
prose = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=300)
texts = st.none() | prose | st.lists(nasty | prose, max_size=8).map("".join)


def quoted(name: str, address: str) -> str:
    inner = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{inner}" <{address}>'


@given(
    people=st.lists(people_of, min_size=1, max_size=5),
    copies=st.sampled_from([None, "", "jack@example.org, Joe <joe@example.org>"]) | wild,
    subject=wild | prose,
    text=texts,
    html=texts,
    takes_utf8=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_mail_arrives_as_it_is_or_is_refused_before_it_is_sent(
    post: MailServer,
    people: list[tuple[str, str]],
    copies: str | None,
    subject: str,
    text: str | None,
    html: str | None,
    takes_utf8: bool,
) -> None:
    post.offers_utf8 = takes_utf8
    post.taken.clear()
    post.verbs.clear()
    to = ",".join(quoted(name, address) for name, address in people)
    mail = mail_of(to, subject, text, html=html, cc=copies)
    try:
        send(mail)
    except NexusUnsentMailError:
        assert set(post.verbs) <= {"EHLO"}  # which tells whether it takes addresses beyond ASCII
        return
    (taken,) = post.taken
    also = read_by_python(copies or "")
    assert_arrived(taken, mail, list(dict.fromkeys([*(address for _, address in people), *also])))
    read = message_from_string(taken.data.decode(), policy=policy.default)
    assert [squeezed(each.display_name) for each in read["To"].addresses] == [squeezed(name) for name, _ in people]


@given(text=wild)
@settings(max_examples=300, deadline=None)
def test_texts_with_addresses_are_read_as_python_reads_them(text: str) -> None:
    try:
        found = parse_addresses(text)
    except ValueError:
        return
    assert [each.addr_spec for each in found] == read_by_python(text)
