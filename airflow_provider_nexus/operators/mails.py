"""Operator that sends the mails that Nexus has ready, each once. See docs/api_facts.rst, Mail."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable

from airflow_provider_nexus.api.codes import texts_of
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousMailError,
    NexusApiError,
    NexusConfigurationError,
    NexusUnsentMailError,
    NexusWriteRefusedError,
    without_secrets,
)
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import refuse_wrong
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._letter import is_fit, join_addresses
from airflow_provider_nexus.operators._smtp import prepare

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


Deliver = Callable[[dict[str, Any]], None]
"""Delivers one mail, or raises."""

_READY = "ReadyToSend"
_DELIVERING, _DELIVERED = "delivering", "delivered"
_ABOUT_CLAIMS = "NexusSendMailsOperator works on this mail; see 'Sending mails' in the documentation before you delete it"


class NexusSendMailsOperator(NexusBaseOperator):
    """Sends the mails that are ready to be sent, oldest first, and marks each as sent in Nexus.

    No mail is delivered twice. Before a delivery the mail is claimed in the Airflow Variable
    ``nexus_mail__<conn_id>__<code>``; the Variable is deleted when Nexus has the mail as sent. A mail whose delivery was cut off
    is not sent again: whether it went out is not known, and the task fails and names it. The claim is read and then written, so
    let one task send the mails of a connection: ``max_active_tis_per_dag`` is 1 by default.

    Returns ``sent`` (number), ``left`` (number still ready to be sent) and ``codes`` (of the mails sent).

    .. seealso:: :doc:`acting`

    :param deliver: delivers one mail, given as Nexus' record whose addresses have been read: each member of ``recipient`` is
        ``None`` or one text fit for a header, without blanks around it. When it raises, the mail counts as not delivered and
        will be delivered by the next try; when it does not know whether the mail went out, it raises
        :class:`~airflow_provider_nexus.exceptions.NexusAmbiguousMailError`. Left out, mails go out by SMTP
    :param mail_types: only mails of this type or these types, such as ``TransactionBuyFinish`` (templated); all if left out
    :param limit: mails delivered in one run at most
    :param smtp_conn_id: Airflow connection of type ``smtp``, used without ``deliver`` (templated)
    :param from_email: sender of the mails; by default the one of the SMTP connection (templated)
    :param nexus_conn_id: the connection; it must allow writes (templated)
    """

    template_fields: Sequence[str] = ("mail_types", "smtp_conn_id", "from_email", "nexus_conn_id")

    def __init__(
        self,
        *,
        deliver: Deliver | None = None,
        mail_types: str | Sequence[str] | XComArg = (),
        limit: int = 100,
        smtp_conn_id: str | XComArg = "smtp_default",
        from_email: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("max_active_tis_per_dag", 1)
        super().__init__(**kwargs)
        if any(kind(deliver) for kind in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)):
            raise NexusConfigurationError("`deliver` is a coroutine or a generator function, which nobody runs: give a plain one")
        self.deliver = deliver
        self.mail_types = rendered(mail_types)
        self.limit = limit
        self.smtp_conn_id = rendered(smtp_conn_id)
        self.from_email = rendered(from_email)
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusSendMailsOperator)

    def execute(self, context: Context) -> dict[str, Any]:
        """Send what is ready.

        :raises NexusAmbiguousMailError: when it is not known of some mails whether they went out
        :raises NexusConfigurationError: when an argument or a connection is wrong, so that no mail can be sent
        :raises NexusUnsentMailError: when some mails can't be sent, could not be delivered, or not be marked as sent
        :raises NexusWriteRefusedError: when the connection does not allow writes; nothing was delivered
        """
        hook = NexusHook(self.nexus_conn_id)
        if not hook.settings.allow_writes:
            raise NexusWriteRefusedError(
                f"mails are marked as sent in Nexus, and the connection {self.nexus_conn_id} does not allow that, so none was "
                "delivered: switch on 'Allow writes' in the connection, or use one that has it on"
            )
        run = _Round(hook, self._prepare, f"{context['run_id']} {context['ti'].try_number}", self.log)
        refuse_wrong({"mail_types": self.mail_types if self.is_given("mail_types") else ()})
        types = texts_of(self.mail_types or (), "mail type")
        filters = {"status": _READY, **({"type": "|".join(types)} if types else {})}
        wanted = {name.casefold() for name in types}
        mails = hook.iter_records("mails", filters=filters, settle_lag=0)
        # read to the end before the first is marked, as pages move by that
        codes = [mail["code"] for mail in mails if _is_ready(mail) and (not wanted or str(mail["type"]).casefold() in wanted)]
        for code in codes:
            if run.tried == self.limit:
                break
            run.send(code)
        run.fail_if_unfinished()
        return {"sent": len(run.sent), "left": len(codes) - len(run.sent) - run.settled, "codes": run.sent}

    def _prepare(self, mail: dict[str, Any]) -> Callable[[], None]:
        if self.deliver:
            return partial(self.deliver, {**mail, "recipient": join_addresses(mail)})
        return prepare(mail, smtp_conn_id=self.smtp_conn_id, from_email=self.from_email, log=self.log)


class _Round:
    """Mails sent one after the other, and what became of each.

    :param prepare: gives what delivers a mail, or raises for one that can't be delivered as it is
    :param by: identifies this try in the claims
    """

    def __init__(self, hook: NexusHook, prepare: Callable[[dict[str, Any]], Callable[[], None]], by: str, log: Any) -> None:
        self._hook, self._prepare, self._by, self._log = hook, prepare, by, log
        self.sent: list[str] = []
        self.undelivered: list[str] = []
        self.unmarked: list[str] = []
        self.unknown: list[str] = []
        self.unfit: list[str] = []
        self.settled = 0

    @property
    def tried(self) -> int:
        """Mails that were delivered or marked, or should have been. The others don't count against the limit."""
        return len(self.sent) + len(self.undelivered) + len(self.unmarked)

    def send(self, code: str) -> None:
        """Deliver and mark one mail, as far as its claim allows."""
        if not is_fit(code):
            shown = f"{without_secrets(ascii(code)):.100}"
            self._log.error("mail %s: that is no code that can be in a path or in a Variable's name, so it was left alone", shown)
            self.unfit.append(shown)
            return
        mail, claim = self._hook.get_record("mails", code), Variable.get(self._name(code), default=None)
        if not _is_ready(mail):
            self.settled += 1
        elif self._delivered(code, mail) if claim is None else f'"{_DELIVERED}"' in str(claim):
            self._mark(code)
        elif claim is not None:  # also one that can't be read counts as a delivery under way, so nothing is sent
            self.unknown.append(code)

    def fail_if_unfinished(self) -> None:
        """Raise an error that names every mail that is not settled."""
        failures = [
            f"{text}: {', '.join(codes)}."
            for text, codes in (
                ("These mails can't be sent as they are, the log has the reasons", self.unfit),
                ("These mails could not be delivered, the log has the reasons, and the next try delivers them", self.undelivered),
                ("These mails were delivered but not marked as sent in Nexus, which the next try will do", self.unmarked),
            )
            if codes
        ]
        if self.unknown:
            doubts = (
                f"It is not known whether these mails went out, and they were not sent again: {', '.join(self.unknown)}. "
                "Look for each in the outbox of the mail server or ask its recipient. If it went out, mark it as sent in Nexus "
                "(PUT /mail/{code}/sent); if not, delete the Airflow Variable "
                f"{self._name('{code}')}, and the next run sends it."
            )
            raise NexusAmbiguousMailError(" ".join([doubts, *failures]))
        if failures:
            raise NexusUnsentMailError(" ".join(failures))

    def _name(self, code: str) -> str:
        return f"nexus_mail__{self._hook.nexus_conn_id}__{code}"

    def _write(self, code: str, state: str) -> None:
        Variable.set(self._name(code), json.dumps({"by": self._by, "state": state}), description=_ABOUT_CLAIMS)

    def _delivered(self, code: str, mail: dict[str, Any]) -> bool:
        """Whether the mail is out, for certain."""
        try:
            deliver = self._prepare(mail)
        except NexusUnsentMailError:
            return self._failed(code, self.unfit, "can't be sent as it is")
        except NexusConfigurationError:
            raise  # no mail could be sent, and another try changes nothing
        except Exception:  # noqa: BLE001 - as below
            return self._failed(code, self.undelivered, "was not delivered")
        self._write(code, _DELIVERING)
        try:
            _refuse_undone(deliver())
        except NexusAmbiguousMailError:
            return self._failed(code, self.unknown, "may or may not have gone out")
        except NexusConfigurationError:
            Variable.delete(self._name(code))  # nothing was called, so nothing went out
            raise
        except Exception:  # noqa: BLE001 - whatever a delivery raises, the other mails go on
            Variable.delete(self._name(code))
            return self._failed(code, self.undelivered, "was not delivered")
        self._write(code, _DELIVERED)
        return True

    def _mark(self, code: str) -> None:
        try:
            self._hook.run("PUT", f"{get_resource('mails').record_path(code)}/sent")
        except NexusApiError:
            self._failed(code, self.unmarked, "was delivered and could not be marked as sent")
            return
        Variable.delete(self._name(code))
        self.sent.append(code)

    def _failed(self, code: str, codes: list[str], what: str) -> bool:
        """Log the error that is being handled, and note the mail."""
        self._log.exception("mail %s %s", code, what)
        codes.append(code)
        return False


def _refuse_undone(result: object) -> None:
    """Refuse a coroutine or a generator, which is only a promise of a delivery."""
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError("`deliver` gave a coroutine or a generator, which nobody runs: nothing was delivered")


def _is_ready(mail: Mapping[str, Any]) -> bool:
    return str(mail["status"]).casefold() == _READY.casefold()
