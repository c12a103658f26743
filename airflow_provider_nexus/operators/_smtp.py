"""SMTP: sends one letter by a connection of Airflow, with one attempt."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.exceptions import NexusAmbiguousMailError, NexusConfigurationError, NexusUnsentMailError
from airflow_provider_nexus.hooks._connections import defined
from airflow_provider_nexus.operators._letter import Letter, compose, write

if TYPE_CHECKING:
    from airflow.providers.smtp.hooks.smtp import SmtpHook


def prepare(mail: Mapping[str, Any], *, smtp_conn_id: str, from_email: str | None, log: Any) -> Callable[[], None]:
    """Write a mail, and return what sends it.

    What is returned raises :class:`NexusUnsentMailError` when the mail did not go out, and :class:`NexusAmbiguousMailError` when
    the server may have taken the mail and did not answer.

    :param from_email: sender; by default the one of the connection
    :param log: gets a warning when the mail server took the mail and refused some of its recipients
    :raises NexusUnsentMailError: when it can't be sent as it is; the mail server was not called
    :raises NexusConfigurationError: when there is no such connection, or Airflow's SMTP provider is not installed
    """
    try:
        from airflow.providers.smtp.hooks.smtp import SmtpHook
    except ImportError:
        raise NexusConfigurationError(
            "mails can't be sent by SMTP: pip install 'airflow-provider-nexus[smtp]', or give the operator a `deliver`"
        ) from None
    hook = SmtpHook(smtp_conn_id)
    with defined(smtp_conn_id, "smtp"):
        hook.smtp_connection = hook.get_connection(smtp_conn_id)  # without it the hook does not know its sender
    letter = compose(mail, from_email or hook.from_email)
    return partial(_send, hook, letter, write(letter), log)


def _send(hook: SmtpHook, letter: Letter, data: bytes, log: Any) -> None:
    refused: list[str] = []
    failure: NexusUnsentMailError | None = None
    try:
        hook.get_conn()
        refused = _announce(_client(hook), letter, data)
        failure = _hand_over(_client(hook), letter, data)
    except OSError as error:  # smtplib's errors are among these; nothing of the text was sent
        failure = NexusUnsentMailError(f"mail {letter.code} did not go out: {_reason(error)}")
    finally:
        if client := _client(hook):
            with suppress(Exception):  # an error while hanging up does not concern the mail
                client.close()
    if failure:
        raise failure  # out here, so that it does not refer to the original, whose text contains addresses
    if refused:
        numbers = letter.code, len(refused), len(letter.recipients), ", ".join(sorted(set(refused)))
        log.warning("mail %s went out, and the mail server refused %d of its %d recipients: SMTP %s", *numbers)


def _client(hook: SmtpHook) -> smtplib.SMTP | None:
    """The open connection, whose name differs by the version of Airflow's SMTP provider."""
    return getattr(hook, "_smtp_client", None) or getattr(hook, "smtp_client", None)


def _announce(client: smtplib.SMTP | None, letter: Letter, data: bytes) -> list[str]:
    """All that comes before the text of a mail. Returns the codes of the recipients that were refused."""
    if client is None:  # what the hook does below version 3.1 when it may not try again
        raise NexusUnsentMailError(f"mail {letter.code} did not go out: give the SMTP connection a retry_limit of 1 or more")
    client.ehlo_or_helo_if_needed()
    options = [f"size={len(data)}"] if client.has_extn("size") else []
    if letter.is_utf8:
        if not client.has_extn("smtputf8"):
            raise NexusUnsentMailError(
                f"mail {letter.code} did not go out: an address needs SMTPUTF8, which the mail server does not offer"
            )
        client.command_encoding = "utf-8"
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    _expect(client.docmd("MAIL", " ".join([f"FROM:<{letter.sender.addr_spec}>", *options])), 250)
    replies = {address: client.docmd("RCPT", f"TO:<{address}>") for address in letter.recipients}
    refused = {address: reply for address, reply in replies.items() if reply[0] not in (250, 251)}
    if len(refused) == len(replies):
        raise smtplib.SMTPRecipientsRefused(refused)
    _expect(client.docmd("DATA"), 354)
    return [str(code) for code, _ in refused.values()]


def _hand_over(client: smtplib.SMTP | None, letter: Letter, data: bytes) -> NexusUnsentMailError | None:
    """The text of a mail. Only a refusal means that the server did not take it."""
    try:
        assert client  # noqa: S101 - it has been spoken with
        client.send(re.sub(rb"(?m)^\.", b"..", data) + b".\r\n")
        code, _ = client.getreply()
    except Exception as error:  # noqa: BLE001 - whatever it is, the server may have taken the mail
        return NexusAmbiguousMailError(f"mail {letter.code}: the mail server fell silent ({type(error).__name__})")
    if code == 250:
        return None
    if 400 <= code < 600:
        return NexusUnsentMailError(f"mail {letter.code} did not go out: the mail server refused it, SMTP {code}")
    return NexusAmbiguousMailError(f"mail {letter.code}: the mail server gave an answer without a meaning (SMTP {code})")


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise smtplib.SMTPResponseException(*reply)


def _reason(error: OSError) -> str:
    """What went wrong, without the words of the mail server, which can contain addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"the mail server refused it, SMTP {', '.join(sorted({str(code) for code, _ in error.recipients.values()}))}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server refused it, SMTP {error.smtp_code}"
    return type(error).__name__ if isinstance(error, smtplib.SMTPException) else f"{type(error).__name__}: {error}"
