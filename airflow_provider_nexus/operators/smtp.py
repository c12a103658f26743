"""One mail of Nexus sent by an SMTP connection of Airflow, with one attempt."""

from __future__ import annotations

import html
import smtplib
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.exceptions import NexusAmbiguousMailError, NexusConfigurationError, NexusUnsentMailError

if TYPE_CHECKING:
    from airflow.providers.smtp.hooks.smtp import SmtpHook


def send_by_smtp(mail: Mapping[str, Any], *, smtp_conn_id: str, from_email: str | None = None) -> None:
    """Send a mail.

    The ``Message-ID`` is made of the mail's code, so that mail servers can tell a copy.

    :param mail: Nexus' record, addresses trimmed
    :param smtp_conn_id: Airflow connection of type ``smtp``
    :param from_email: sender; by default the one of the connection
    :raises NexusUnsentMailError: when it did not go out
    :raises NexusAmbiguousMailError: when the server fell silent after it may have taken the mail
    :raises NexusConfigurationError: when Airflow's SMTP provider is not installed
    """
    message, post = _message(mail, from_email), _hook(smtp_conn_id).get_conn()
    failure: Exception | None = None
    try:
        post.send_email_smtp(**message)
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError) as error:
        failure = NexusUnsentMailError(f"mail {mail['code']}: the mail server refused it, {_reason(error)}")
    except OSError as error:  # SMTPServerDisconnected and time-outs are among these
        failure = NexusAmbiguousMailError(f"mail {mail['code']}: the mail server fell silent ({type(error).__name__})")
    finally:
        with suppress(OSError):  # what happens while hanging up says nothing about the mail
            post.__exit__(None, None, None)  # type: ignore[no-untyped-call]
    if failure:
        raise failure  # out here, so that it does not hold on to the original, whose text holds addresses


def _message(mail: Mapping[str, Any], from_email: str | None) -> dict[str, Any]:
    recipient, content = mail["recipient"], mail["content"] or {}
    body = content.get("html") or (f"<pre>{html.escape(content['text'])}</pre>" if content.get("text") else "")
    if not (recipient.get("email") and content.get("subject") and body):
        raise NexusUnsentMailError(
            f"mail {mail['code']} lacks a recipient, a subject or a text: give it content in Nexus (PUT /mail/{{code}}), or "
            "write it in a `deliver` of your own"
        )
    return {
        "to": recipient["email"],
        "cc": recipient.get("cc"),
        "bcc": recipient.get("bcc"),
        "subject": content["subject"],
        "html_content": body,
        "from_email": from_email,
        "custom_headers": {"Message-ID": f"<{mail['code']}@nexus.invalid>"},
    }


def _hook(smtp_conn_id: str) -> SmtpHook:
    try:
        from airflow.providers.smtp.hooks.smtp import SmtpHook
    except ImportError:
        raise NexusConfigurationError(
            "mails can't be sent by SMTP: pip install 'airflow-provider-nexus[smtp]', or give the operator a `deliver`"
        ) from None

    class OneAttempt(SmtpHook):
        """The hook of Airflow repeats a mail after any error, so also one that has gone out."""

        smtp_retry_limit = 0

    return OneAttempt(smtp_conn_id)


def _reason(error: smtplib.SMTPException) -> str:
    """The codes of a refusal; its texts can hold addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"SMTP {', '.join(sorted({str(code) for code, _ in error.recipients.values()}))}"
    return f"SMTP {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else type(error).__name__
