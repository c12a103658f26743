"""What is said of a mail after the dialogue with a mail server is so."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import NexusAmbiguousMailError, NexusUnsentMailError
from tests.airflow.operators.mail_server import TEXT, MailServer, post_office
from tests.airflow.operators.test_letters import CODE, JANE, LOG, mail_of, send
from tests.client.serving import all_that_it_says


@pytest.fixture
def post() -> Iterator[MailServer]:
    with post_office() as server:
        yield server


BEFORE = ["EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("verb", [*BEFORE, TEXT])
def test_only_a_text_without_an_answer_is_of_unknown_fate(post: MailServer, verb: str) -> None:
    post.hangs_up_at = verb
    with pytest.raises(NexusUnsentMailError) as caught:
        send(mail_of())
    assert isinstance(caught.value, NexusAmbiguousMailError) == (verb == TEXT)
    assert len(post.taken) == (verb == TEXT)
    assert post.verbs.count("MAIL") <= 1


@pytest.mark.parametrize(
    ("verb", "answer", "is_known"),
    [
        *((verb, "451 later jane@example.org", True) for verb in [*BEFORE[1:], TEXT]),
        *((verb, "554 no jane@example.org", True) for verb in [*BEFORE[1:], TEXT]),
        *((verb, "250 yes", True) for verb in ["DATA"]),
        *((TEXT, answer, False) for answer in ["354 again", "299 maybe", "jane@example.org", "5" * 9000]),
    ],
)
def test_only_a_no_says_that_a_text_was_not_taken(post: MailServer, verb: str, answer: str, is_known: bool) -> None:
    post.answers = {verb: answer}
    with pytest.raises(NexusUnsentMailError) as caught:
        send(mail_of())
    assert isinstance(caught.value, NexusAmbiguousMailError) != is_known
    assert JANE not in all_that_it_says(caught.value)
    assert CODE in str(caught.value)
    assert post.verbs.count("MAIL") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 1},
        {"host": "no-such-host.invalid"},
        {"login": "jane@example.org", "password": "x"},
        {"extra": {"disable_ssl": True}},
    ],
    ids=["nobody listens", "no such host", "no login", "no TLS"],
)
def test_a_server_that_can_t_be_spoken_with(post: MailServer, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "broker@example.org"}
    stored: dict[str, Any] = {"conn_type": "smtp", "host": "127.0.0.1", "port": post.port, "extra": extra} | changes
    stored["extra"]["from_email"] = "broker@example.org"
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(stored))
    with pytest.raises(NexusUnsentMailError, match=CODE) as caught:
        send(mail_of())
    assert not isinstance(caught.value, NexusAmbiguousMailError)
    assert JANE not in str(caught.value)


def test_recipients_that_the_server_refused_are_told_by_number(post: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    post.refused = {"jack@example.org", "joe@example.org"}
    with caplog.at_level(logging.WARNING, LOG.name):
        send(mail_of(cc="jack@example.org", bcc="joe@example.org"))
    assert post.taken[0].recipients == [JANE]
    (told,) = caplog.messages
    assert told == f"mail {CODE} went out, and the mail server refused 2 of its 3 recipients: SMTP 550"
    post.refused.add(JANE)
    with pytest.raises(NexusUnsentMailError, match="SMTP 550"):
        send(mail_of(cc="jack@example.org", bcc="joe@example.org"))
    assert len(post.taken) == 1
