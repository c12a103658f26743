"""Each mail is delivered once at most, none is lost without a word, whatever is cut off or fails."""

from __future__ import annotations

import functools
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import getaddresses
from types import FrameType
from typing import Any

import pytest
from airflow.models import Variable
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from airflow_provider_nexus.compat import HAS_RETRY_POLICIES, AirflowFailException
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousMailError,
    NexusConfigurationError,
    NexusUnsentMailError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators import mails
from airflow_provider_nexus.operators.mails import NexusSendMailsOperator
from airflow_provider_nexus.sandbox import Fault, Sandbox
from tests.airflow.nexus import connection
from tests.airflow.operators.mail_server import MailServer, post_office
from tests.airflow.running import run_dag, state_of, xcom_of

Mail = dict[str, Any]


class Kill(BaseException):
    """As a worker that is stopped."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=10, transactions=900, days=2, clock_speed=0) as running, connection(running):
        with create_session() as session:
            session.execute(delete(Variable))
        yield running


def mails_of(sandbox: Sandbox, status: str = "ReadyToSend") -> list[Mail]:
    return [mail for mail in map(json.loads, sandbox.truth("mails")) if mail["status"] == status]


def lay(sandbox: Sandbox, code: str, **values: Mail) -> None:
    """Change a mail in Nexus."""
    world, clock = sandbox.world, sandbox.clock
    row = world.mails.find(code, clock.now)
    assert row is not None
    world.mails.patch(row, **values)


def ready(sandbox: Sandbox) -> list[str]:
    return [mail["code"] for mail in mails_of(sandbox)]


def claims() -> dict[str, str]:
    with create_session() as session:
        return {each.key.removeprefix("nexus_mail__nexus_default__"): each.val for each in session.scalars(select(Variable))}


class Sender:
    """Runs the operator and keeps what it delivered and raised."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.given: list[Mail] = []
        self.error: BaseException | None = None

    def deliver(self, mail: Mail) -> None:
        self.given.append(mail)
        self.delivered.append(mail["code"])

    def run(self, *delivers: Callable[[Mail], None] | None, **arguments: Any) -> tuple[str, Any]:
        self.error = None
        with DAG("mails", schedule=None) as dag:
            NexusSendMailsOperator(
                task_id="send",
                deliver=delivers[0] if delivers else self.deliver,
                on_failure_callback=self._keep,
                **arguments,
            )
        run = run_dag(dag)
        return state_of(run, "send"), xcom_of(run, "send")

    def _keep(self, context: Any) -> None:
        self.error = context["exception"]


def test_every_mail_is_delivered_once_and_marked(sandbox: Sandbox) -> None:
    waiting, deleted = mails_of(sandbox), {mail["code"] for mail in mails_of(sandbox, "Deleted")}
    codes, sender = [mail["code"] for mail in waiting], Sender()
    assert len(codes) > 2
    assert sender.run() == ("success", {"sent": len(codes), "left": 0, "codes": codes})
    assert sender.run() == ("success", {"sent": 0, "left": 0, "codes": []})
    assert sender.delivered == codes
    assert not deleted & set(sender.delivered)
    assert (ready(sandbox), claims()) == ([], {})


def test_addresses_are_trimmed(sandbox: Sandbox) -> None:
    padded = {mail["code"]: mail["recipient"] for mail in mails_of(sandbox)}
    assert any(recipient["email"] != recipient["email"].strip() for recipient in padded.values())
    sender = Sender()
    sender.run()
    for mail in sender.given:
        was = padded[mail["code"]]
        assert mail["recipient"] == {"email": was["email"].strip(), "cc": was["cc"], "bcc": was["bcc"] or None}


def test_limit_and_types(sandbox: Sandbox) -> None:
    codes, sender = ready(sandbox), Sender()
    assert sender.run(limit=2)[1] == {"sent": 2, "left": len(codes) - 2, "codes": codes[:2]}
    kind = mails_of(sandbox)[0]["type"]
    wanted = [mail["code"] for mail in mails_of(sandbox) if mail["type"] == kind]
    assert sender.run(mail_types=[kind])[1] == {"sent": len(wanted), "left": 0, "codes": wanted}
    assert sender.delivered == codes[:2] + wanted


def test_a_server_that_ignores_filters_gets_nothing_else_sent(sandbox: Sandbox) -> None:
    codes = ready(sandbox)
    sandbox.configure(filters="ignored")
    sender = Sender()
    sender.run()
    assert sorted(sender.delivered) == sorted(codes)


@pytest.mark.parametrize("place", ["connection of SMTP", "the function"])
def test_what_is_set_up_wrong_fails_and_is_not_tried_mail_by_mail(sandbox: Sandbox, place: str) -> None:
    codes, sender, tried = ready(sandbox), Sender(), []

    def misconfigured(mail: Mail) -> None:
        tried.append(mail["code"])
        raise NexusConfigurationError("the lamp is not plugged in")

    given = [misconfigured] if place == "the function" else [None]
    assert sender.run(*given, smtp_conn_id="no_such_connection", retries=1)[0] == "failed"
    assert type(sender.error) is NexusConfigurationError
    assert ("lamp" if place == "the function" else "there is no connection 'no_such_connection'") in str(sender.error)
    assert tried == (codes[:1] if place == "the function" else [])
    assert (ready(sandbox), claims()) == (codes, {})
    assert sender.run()[0] == "success"


def test_a_failed_delivery_holds_nothing_up_and_is_tried_again(sandbox: Sandbox) -> None:
    codes, sender = ready(sandbox), Sender()

    def fails_for_the_second(mail: Mail) -> None:
        if mail["code"] == codes[1]:
            raise ValueError("no")
        sender.deliver(mail)

    assert sender.run(fails_for_the_second)[0] == "failed"
    assert isinstance(sender.error, NexusUnsentMailError)
    assert not isinstance(sender.error, NexusAmbiguousMailError)
    assert [code for code in codes if code in str(sender.error)] == [codes[1]]
    assert (ready(sandbox), claims()) == ([codes[1]], {})
    assert sender.run()[0] == "success"
    assert sorted(sender.delivered) == sorted(codes)


def test_a_delivery_that_was_cut_off_is_not_repeated_until_somebody_decides(sandbox: Sandbox) -> None:
    codes, sender = ready(sandbox), Sender()

    def dies_after_the_second(mail: Mail) -> None:
        sender.deliver(mail)
        if mail["code"] == codes[1]:
            raise Kill

    assert sender.run(dies_after_the_second)[0] == "failed"
    assert list(claims()) == [codes[1]]
    assert "example.org" not in claims()[codes[1]]
    for _ in range(2):
        assert sender.run(limit=100)[0] == "failed"
        assert isinstance(sender.error, NexusAmbiguousMailError)
        text = str(sender.error)
        assert [code for code in codes if code in text] == [codes[1]]
        assert "PUT /mail/{code}/sent" in text
        assert "nexus_mail__nexus_default__{code}" in text
        assert sender.delivered == codes
    with create_session() as session:
        session.execute(delete(Variable))
    assert sender.run()[0] == "success"
    assert sender.delivered == [*codes, codes[1]]


def test_a_delivery_that_does_not_know_keeps_its_claim(sandbox: Sandbox) -> None:
    codes, sender = ready(sandbox), Sender()

    def does_not_know(mail: Mail) -> None:
        sender.deliver(mail)
        raise NexusAmbiguousMailError("hm")

    assert sender.run(does_not_know)[0] == "failed"
    assert sorted(claims()) == sorted(codes)
    assert sender.run()[0] == "failed"
    assert sender.delivered == codes


@pytest.mark.parametrize("kind", ["drop_after", "drop", "status"])
def test_a_mark_that_failed_is_made_by_the_next_try_without_a_delivery(sandbox: Sandbox, kind: Any) -> None:
    codes, sender = ready(sandbox), Sender()
    sandbox.configure(faults=(Fault(kind, path="/sent", method="PUT", first=2, times=2),))
    state, _ = sender.run()
    assert state == "failed"
    assert isinstance(sender.error, NexusUnsentMailError)
    assert codes[1] in str(sender.error)
    sender.run()
    assert sender.delivered == codes
    assert ready(sandbox) == []


def test_a_kill_while_a_mail_is_marked(sandbox: Sandbox) -> None:
    codes, sender = ready(sandbox), Sender()
    sandbox.configure(faults=(Fault("slow", path="/sent", method="PUT", first=2, seconds=5),))
    assert sender.run(execution_timeout=timedelta(seconds=2))[0] == "failed"
    assert '"delivered"' in claims()[codes[1]]
    assert sender.run()[0] == "success"
    assert sender.delivered == codes
    assert ready(sandbox) == []


def test_nothing_is_delivered_without_the_right_to_mark(sandbox: Sandbox) -> None:
    sender = Sender()
    with connection(sandbox, extra={"allow_writes": False}):
        assert sender.run()[0] == "failed"
    assert isinstance(sender.error, NexusWriteRefusedError if HAS_RETRY_POLICIES else AirflowFailException)
    assert (sender.delivered, claims()) == ([], {})


def test_one_at_a_time_unless_told_otherwise() -> None:
    assert NexusSendMailsOperator(task_id="a").max_active_tis_per_dag == 1
    assert NexusSendMailsOperator(task_id="b", max_active_tis_per_dag=3).max_active_tis_per_dag == 3


class KillAtLine:
    """Kills what runs in the operator's module when so many of its lines have been begun."""

    def __init__(self, lines: int) -> None:
        self.left = lines

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != mails.__file__:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise Kill
        return self


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere(sandbox: Sandbox, seed: int) -> None:
    """Two tries are killed at lines drawn at random while answers get lost; a third is left alone."""
    chance = random.Random(seed)
    codes, sender = ready(sandbox)[:4], Sender()
    lost = chance.randint(1, 4)
    sandbox.configure(faults=(Fault("drop_after", path="/sent", method="PUT", first=lost, times=chance.choice([0, 1, 2])),))
    killed = 0
    for _ in range(2):
        kill = KillAtLine(chance.randint(60, 200))
        run = functools.partial(sender.run, limit=4, on_execute_callback=lambda _, kill=kill: sys.settrace(kill))
        # An error raised between two lines of an `except` stays the one being handled for as long as its thread lives.
        with ThreadPoolExecutor(1) as thread:
            killed += thread.submit(run).result()[0] == "failed"
    assert killed
    sandbox.configure(faults=())
    state, _ = sender.run(limit=100)
    named = {code for code in ready(sandbox) if code in str(sender.error)}
    assert max(Counter(sender.delivered).values()) == 1
    assert set(ready(sandbox)) == named
    assert (state == "failed") == bool(named)
    assert {code for code in codes if code not in sender.delivered} <= named
    assert set(claims()) >= named


@pytest.fixture
def post() -> Iterator[MailServer]:
    with post_office() as server:
        yield server


def written(sandbox: Sandbox) -> list[Mail]:
    """What is ready and has something to say."""
    return [mail for mail in mails_of(sandbox) if mail["content"]["subject"]]


def test_by_smtp(sandbox: Sandbox, post: MailServer) -> None:
    full, sender = written(sandbox), Sender()
    assert sender.run(None)[0] == "failed"
    assert [taken.message["Message-ID"] for taken in post.taken] == [f"<{mail['code']}@nexus.invalid>" for mail in full]
    for mail, taken in zip(full, post.taken, strict=True):
        copies = [*(mail["recipient"]["cc"] or "").split(","), *(mail["recipient"]["bcc"] or "").split(",")]
        assert taken.recipients == [mail["recipient"]["email"].strip(), *filter(None, copies)]
        assert taken.message["From"] == "broker@example.org"
    empty = [mail["code"] for mail in mails_of(sandbox)]
    assert all(code in str(sender.error) for code in empty)
    assert {mail["code"] for mail in full} & set(empty) == set()


def test_a_refused_recipient_is_told_by_code_alone(
    sandbox: Sandbox, post: MailServer, capsys: pytest.CaptureFixture[str]
) -> None:
    full, sender = written(sandbox), Sender()
    post.refused = {full[0]["recipient"]["email"].strip()}
    sender.run(None)
    assert full[0]["code"] in str(sender.error)
    assert full[0]["code"] in ready(sandbox)
    assert claims() == {}
    log = capsys.readouterr().out
    assert "SMTP 550" in log
    assert next(iter(post.refused)) not in log


def test_a_mail_server_that_falls_silent_gets_no_copy(sandbox: Sandbox, post: MailServer) -> None:
    full, sender = written(sandbox), Sender()
    post.silent_after = {full[0]["recipient"]["email"].strip()}
    for _ in range(2):
        assert sender.run(None)[0] == "failed"
        assert isinstance(sender.error, NexusAmbiguousMailError)
        assert full[0]["code"] in str(sender.error)
    assert max(Counter(taken.message["Message-ID"] for taken in post.taken).values()) == 1


@pytest.mark.parametrize("by_smtp", [True, False])
@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("recipient.email", {"recipient": {"email": "jane@example.org\r\nBcc: x@example.org", "cc": None, "bcc": None}}),
        ("recipient.cc", {"recipient": {"email": "joe@example.org", "cc": "Doe, Jane <jane@example.org>", "bcc": None}}),
        ("recipient.bcc", {"recipient": {"email": "joe@example.org", "cc": "", "bcc": "jane"}}),
        ("content.subject", {"content": {"subject": "Hi\r\nBcc: jane@example.org", "html": "<p>Hi</p>", "text": None}}),
    ],
)
def test_a_mail_that_would_be_another_one_is_not_sent(
    sandbox: Sandbox, post: MailServer, capsys: pytest.CaptureFixture[str], member: str, values: dict[str, Mail], by_smtp: bool
) -> None:
    if not by_smtp and member == "content.subject":
        pytest.skip("what becomes of a subject is up to the one who delivers it")
    codes, sender = [mail["code"] for mail in written(sandbox)], Sender()
    lay(sandbox, codes[0], **values)
    assert sender.run(*([None] if by_smtp else []), limit=len(codes) - 1)[0] == "failed"
    out = [taken.message["Message-ID"][1:37] for taken in post.taken] if by_smtp else sender.delivered
    assert codes[0] not in out
    assert len(out) == len(codes) - 1
    assert codes[0] in ready(sandbox)
    assert claims() == {}
    assert isinstance(sender.error, NexusUnsentMailError)
    assert not isinstance(sender.error, NexusAmbiguousMailError)
    assert f"can't be sent as they are, the log has the reasons: {codes[0]}" in str(sender.error)
    log = capsys.readouterr().out
    assert member in log
    assert "jane" not in log


@pytest.mark.parametrize("by_smtp", [True, False])
def test_a_name_with_a_comma_is_one_recipient(sandbox: Sandbox, post: MailServer, by_smtp: bool) -> None:
    first, sender = written(sandbox)[0], Sender()
    recipient = {"email": ' "Doe, Jane" <jane@example.org>  ', "cc": "joe@example.org, , J. Doe <jack@example.org>", "bcc": ""}
    lay(sandbox, first["code"], recipient=recipient)
    sender.run(*([None] if by_smtp else []))
    if by_smtp:
        taken = next(each for each in post.taken if first["code"] in each.message["Message-ID"])
        assert taken.recipients == ["jane@example.org", "joe@example.org", "jack@example.org"]
        assert getaddresses([taken.message["To"]]) == [("Doe, Jane", "jane@example.org")]
    else:
        given = next(each["recipient"] for each in sender.given if each["code"] == first["code"])
        assert given["email"] == '"Doe, Jane" <jane@example.org>'
        assert getaddresses([given["cc"]]) == [("", "joe@example.org"), ("J. Doe", "jack@example.org")]
        assert given["bcc"] is None


@pytest.mark.parametrize("odd", ["", ".", "..", "a/../b", "a/b", "x" * 101, "a\nb", "a b", "a..b", "\ud800", None, 7])
def test_a_code_that_is_none_is_left_alone(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    codes, sender, iter_records = ready(sandbox), Sender(), NexusHook.iter_records

    def with_an_odd_one(hook: NexusHook, *arguments: Any, **options: Any) -> Iterator[Mail]:
        yield {"code": odd, "status": "ReadyToSend", "type": "x"}
        yield from iter_records(hook, *arguments, **options)

    monkeypatch.setattr(NexusHook, "iter_records", with_an_odd_one)
    assert sender.run(limit=len(codes))[0] == "failed"
    assert sender.delivered == codes
    assert (ready(sandbox), claims()) == ([], {})
    assert isinstance(sender.error, NexusUnsentMailError)
    assert f"can't be sent as they are, the log has the reasons: {odd!a:.100}." in str(sender.error)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_mail_server_that_hangs_up_before_the_text_is_tried_again(sandbox: Sandbox, post: MailServer, verb: str) -> None:
    codes, sender = [mail["code"] for mail in written(sandbox)], Sender()
    post.hangs_up_at = verb
    assert sender.run(None)[0] == "failed"
    assert not isinstance(sender.error, NexusAmbiguousMailError)
    assert (post.taken, claims()) == ([], {})
    post.hangs_up_at = ""
    sender.run(None)
    assert [taken.message["Message-ID"] for taken in post.taken] == [f"<{code}@nexus.invalid>" for code in codes]
    assert claims() == {}


async def _coroutine(mail: dict[str, Any]) -> None: ...


def _generator(mail: dict[str, Any]) -> Any:
    yield mail


@pytest.mark.parametrize("deliver", [_coroutine, _generator, functools.partial(_coroutine)])
def test_what_nobody_would_run_delivers_nothing(deliver: Any) -> None:
    with pytest.raises(NexusConfigurationError, match="`deliver` is a coroutine or a generator function"):
        NexusSendMailsOperator(task_id="mails", deliver=deliver)


def test_a_delivery_that_is_only_promised_is_none(sandbox: Sandbox) -> None:
    sender, before = Sender(), ready(sandbox)
    state, _ = sender.run(lambda mail: _coroutine(mail))  # type: ignore[arg-type]
    assert (state, ready(sandbox), claims()) == ("failed", before, {})
    assert before
