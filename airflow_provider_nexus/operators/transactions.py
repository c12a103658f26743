"""Operators that make transactions, cancel them and pay them out. See docs/api_facts.rst, Trading calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow_provider_nexus.api.codes import is_same
from airflow_provider_nexus.api.plain import as_plain
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusConflictError
from airflow_provider_nexus.extract.find import Search, finder, unlike
from airflow_provider_nexus.operators._action import NexusOnceOperator, NexusWaitingAction, run_begin
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.operators._ledgers import ledger_of, shared_by
from airflow_provider_nexus.writes.ledger import Ledger, MemoryLedger, known_to
from airflow_provider_nexus.writes.once import Once, Write, code_in
from airflow_provider_nexus.writes.trades import Trade, asked, asked_of_taker, get_trade, refer, trade_body

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_nexus.client.client import NexusClient


Kind = Literal[
    "buy",
    "sell",
    "gift",
    "clawback",
    "send_out",
    "send_internal",
    "send_to_bucket",
    "swap",
    "broker_buy",
    "broker_sell",
    "classic_buy",
    "classic_sell",
]
_PATH = "/transactions/custodian"


class NexusCreateTransactionOperator(NexusOnceOperator):
    """Makes one transaction, once, and returns it; of a pair it returns the one that gives.

    The reference goes into ``paymentReference`` where the call has that and ``values`` leave it free, else into
    ``data["reference"]``. A swap has no documented data and the classic calls have no field at all, so one of unknown fate is
    never sent again: the task fails until somebody has looked.

    .. seealso:: :doc:`acting`

    :param kind: ``buy``, ``sell``, ``gift``, ``clawback``, ``send_out``, ``send_internal``, ``send_to_bucket``, ``swap``,
        ``broker_buy``, ``broker_sell``, or of the classic generation ``classic_buy`` and ``classic_sell``
    :param values: the body as Nexus names it, amounts as ``Decimal`` or text (templated)
    :param simulate: whether to ask what would come of it, and change nothing
    :raises NexusConfigurationError: for an unknown kind, one that has no simulation, or a ``reference`` for one that can't be
        found by it
    """

    template_fields: Sequence[str] = ("values", "reference", "nexus_conn_id")
    text_fields = template_fields
    template_fields_renderers = {"values": "json"}  # noqa: RUF012 - as BaseOperator declares it

    def __init__(
        self,
        *,
        kind: Kind,
        values: Mapping[str, Any] | XComArg,
        simulate: bool = False,
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        trade = get_trade(kind, simulate=simulate)
        super().__init__(cancel_on_kill=cancel_on_kill and not trade.is_classic, **kwargs)
        if self.reference is not None and not trade.is_searchable:
            raise NexusConfigurationError(
                f"reference can't be given for a {kind!r}: it has no documented field to find it by, so a reference would not "
                "keep another run from making a second one. Leave it out: the tries of one task need none"
            )
        self.kind = kind
        self.values = rendered(values)
        self.simulate = simulate

    @property
    def resource(self) -> str:
        """Where the transaction is read."""
        return get_trade(self.kind).resource

    def execute(self, context: Context) -> Any:
        """Make the transaction, or simulate it.

        :raises NexusConfigurationError: when values are missing or an amount is none; nothing was sent
        :raises NexusAmbiguousWriteError: when it is not known whether Nexus made it; another try looks again
        """
        if not self.simulate:
            return super().execute(context)
        trade = get_trade(self.kind, simulate=True)
        return as_plain(self.hook.run("POST", f"{trade.path}/simulate", json=trade_body(trade, self.values)))

    def write(self, reference: str) -> Write:
        """The call.

        :raises NexusConfigurationError: when ``values`` have a ``paymentReference`` of their own beside the user's ``reference``:
            the tasks that give the one would not see those that give the other
        """
        own = at(self.values, "paymentReference")
        if self.reference is not None and own not in (None, "", self.reference):
            raise NexusConfigurationError(
                f"reference is {self.reference!r} and values have another paymentReference, {own!r}: give one; nothing was sent"
            )
        return transaction_write(self.hook.client, self.kind, self.values, reference)


def transaction_write(client: NexusClient, kind: str, values: Mapping[str, Any], reference: str) -> Write:
    """The call that makes a transaction of a kind.

    :raises NexusConfigurationError: when the values make no such call
    """
    trade = get_trade(kind)
    given = trade_body(trade, values)
    body, place = refer(trade, given, reference)
    by = "paymentReference" if place == "paymentReference" else ""
    customer = {} if by else {"customerCode": str(asked(trade, given)["customerCode"])}
    search = Search(resource=trade.resource, place=place, filters=customer, by=by)
    return Write(
        method="POST",
        path=trade.path,
        body=body,
        find=finder(search, client, reference) if place else None,
        read=lambda code: client.get_record(trade.resource, code),
        code_of=lambda answer: code_in(_part(trade, answer), "transactionCode"),
        record_of=lambda answer: _made(client, trade, _part(trade, answer)),
        unlike=lambda record: _unlike(client, trade, given, record),
        came_to_nothing=search.came_to_nothing,
        reference=reference if place else "",
        carries=lambda record: at(record, place) == reference,
        lookup_by_hand=_by_hand(trade, place, reference),
        is_proof=trade.has_data or place == "paymentReference",
    )


def _unlike(client: NexusClient, trade: Trade, body: Mapping[str, Any], record: dict[str, Any]) -> list[str]:
    """What of a transaction, and of its twin where it has one, is not as asked for."""
    found = unlike(asked(trade, body), record, trade.resource)
    of_taker, twin = asked_of_taker(trade, body), record.get("linkedTransactionCode")
    if of_taker and twin:
        found += [f"of {twin}: {text}" for text in unlike(of_taker, client.get_record(trade.resource, twin), trade.resource)]
    return found


def _part(trade: Trade, answer: Any) -> Any:
    """The transaction in an answer; a record that was found is one already."""
    part = answer.get(trade.answer) if trade.answer and isinstance(answer, Mapping) else None
    return part if part is not None else answer


def _made(client: NexusClient, trade: Trade, answer: Any) -> dict[str, Any]:
    """The record that an answer is; the classic one says less, and what only it says is added to the record."""
    if trade.is_classic:
        return {**client.get_record(trade.resource, code_in(answer, "transactionCode")), **answer}
    return typed(get_resource(trade.resource), answer)


def _by_hand(trade: Trade, place: str, reference: str) -> str:
    if place == "paymentReference":
        return f"Look up GET {_PATH}?paymentReference={quote(reference, safe='')}."
    if place:
        return (
            f"Look through GET {_PATH}?type={trade.type}&createdFrom={{since}} with the customer's code as customerCode, and "
            f"GET each of them by its code: it is the one whose data.reference is {reference}."
        )
    return (
        f"Look through GET /transaction?type={trade.type}&startDate={{since}} for one of this account and amount. It is never "
        "sent again by itself: if there is none, let a new DAG run send it."
    )


class NexusCancelTransactionOperator(NexusWaitingAction):
    """Cancels a transaction and returns it. One that is cancelled already is returned as it is.

    .. seealso:: :doc:`acting`

    :param transaction_code: code of the transaction (templated)
    """

    template_fields: Sequence[str] = ("transaction_code", "nexus_conn_id")
    text_fields = template_fields
    targets = ("CANCELLED",)

    def __init__(self, *, transaction_code: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transaction_code = rendered(transaction_code)

    def act(self, context: Context) -> dict[str, Any]:
        """Cancel it.

        :raises NexusConflictError: when it is completed
        """
        write = cancel_write(self.hook.client, self.transaction_code)
        return Once(self.hook.client, MemoryLedger(), log=self.log).carry_out(write, run_begin(context))


def cancel_write(client: NexusClient, code: str) -> Write:
    """The call that cancels a transaction."""

    def cancelled(_: datetime) -> list[dict[str, Any]]:
        record = client.get_record("transactions", code)
        status = _status(record)
        if status == "completed":
            raise NexusConflictError("POST", f"{_PATH}/{{code}}/cancel", detail=f"{code} is completed: it can't be cancelled")
        return [record] if status in ("cancelled", "tocancel") else []

    return _of_one(client, code, "POST", "cancel", None, cancelled)


class NexusPayoutTransactionOperator(NexusWaitingAction):
    """Pays a sell out, or marks its payout as being confirmed, and returns the transaction.

    One that is paid out already is returned when it carries the ``payment_reference``, or when none is given and this task
    is known to have sent the payout (Airflow 3.3 and later); else it is an error, as somebody else has paid.

    .. seealso:: :doc:`acting`

    :param transaction_code: code of the transaction (templated)
    :param bank_account_id: id of the customer's bank account (templated)
    :param payment_reference: reference of the payment (templated)
    :param step: ``payout`` completes the payout, ``confirming`` marks it as being confirmed
    """

    template_fields: Sequence[str] = ("transaction_code", "bank_account_id", "payment_reference", "nexus_conn_id")
    text_fields = template_fields

    def __init__(
        self,
        *,
        transaction_code: str | XComArg,
        bank_account_id: str | XComArg | None = None,
        payment_reference: str | XComArg | None = None,
        step: Literal["confirming", "payout"] = "payout",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if step not in ("confirming", "payout"):
            raise NexusConfigurationError(
                f"step is {step!r}: give 'payout', which pays, or 'confirming', which says it is under way"
            )
        self.transaction_code = rendered(transaction_code)
        self.bank_account_id = rendered(bank_account_id)
        self.payment_reference = rendered(payment_reference)
        self.step = step

    def act(self, context: Context) -> dict[str, Any]:
        """Pay it out.

        :raises NexusConflictError: when somebody else has
        """
        own = ledger_of(context)
        write = payout_write(
            self.hook.client, own, self.transaction_code, self.bank_account_id, self.payment_reference, step=self.step
        )
        ledger = shared_by(own, self.hook.settings.environment.base_url, write.path)
        return Once(self.hook.client, ledger, log=self.log).carry_out(write, run_begin(context))


def payout_write(
    client: NexusClient,
    ledger: Ledger,
    code: str,
    bank_account_id: str | None = None,
    payment_reference: str | None = None,
    *,
    step: Literal["confirming", "payout"] = "payout",
) -> Write:
    """The call that pays a transaction out.

    :param ledger: says whether this task sent it
    """
    there = ("completed", "payoutconfirming") if step == "confirming" else ("completed",)

    def paid(_: datetime) -> list[dict[str, Any]]:
        record = client.get_record("transactions", code)
        if _status(record) not in there:
            return []
        theirs = record.get("paymentReference") != payment_reference if payment_reference else not known_to(ledger).sent
        if theirs:
            raise NexusConflictError("PUT", f"{_PATH}/{{code}}/payout", detail=f"{code} is paid out already, by somebody else")
        return [record]

    body = {"customerBankAccountId": bank_account_id, "paymentReference": payment_reference}
    path = "payout" if step == "payout" else "payoutconfirming"
    return _of_one(client, code, "PUT", path, {name: value for name, value in body.items() if value}, paid)


def _of_one(
    client: NexusClient, code: str, method: str, action: str, body: Any, find: Callable[[datetime], list[dict[str, Any]]]
) -> Write:
    path = get_resource("transactions").record_path(code)

    def transaction_in(answer: Any) -> Any:
        """The transaction in an answer; a record that was found is one already."""
        return (at(answer, "transaction") or answer) if isinstance(answer, Mapping) else {}

    def record_of(answer: Any) -> dict[str, Any] | None:
        made = at(answer, "transaction")
        return typed(get_resource("transactions"), made) if isinstance(made, dict) else None

    return Write(
        method=method,
        path=f"{path}/{action}",
        body=body,
        find=find,
        read=lambda known: client.get_record("transactions", known),
        code_of=lambda answer: code if is_same(code, code_in(transaction_in(answer), "transactionCode")) else "",
        record_of=record_of,
        lookup_by_hand=f"Look at the status in GET {path}.",
    )


def _status(record: Mapping[str, Any]) -> str:
    return str(record.get("status") or "").strip().casefold()
