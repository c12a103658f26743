"""Transactions: the calls that make, cancel and pay out one. See docs/api_facts.rst, Trading calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from airflow_provider_nexus.api.codes import is_same
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConflictError
from airflow_provider_nexus.extract.find import Search, unlike
from airflow_provider_nexus.writes.ledger import Ledger, known_to
from airflow_provider_nexus.writes.once import Write, code_in
from airflow_provider_nexus.writes.trades import Trade, asked, get_trade, refer, trade_body

_PATH = "/transactions/custodian"


def transaction_write(client: NexusClient, kind: str, values: Mapping[str, Any], reference: str) -> Write:
    """The call that makes a transaction of a kind.

    :raises NexusConfigurationError: when the values make no such call
    """
    trade = get_trade(kind)
    resource = get_resource(trade.resource)
    given = trade_body(trade, values)
    body, place = refer(trade, given, reference)
    by = "paymentReference" if place == "paymentReference" else ""
    wanted = asked(trade, given)
    customer = {} if by else {"customerCode": str(wanted["customerCode"])}
    search = Search(client=client, resource=resource.name, reference=reference, place=place, filters=customer, by=by)

    def made(answer: Any) -> Any:
        """The transaction in an answer; a record that was found is one already."""
        part = answer.get(trade.answer) if trade.answer and isinstance(answer, Mapping) else None
        return part if part is not None else answer

    def record_of(answer: Any) -> dict[str, Any]:
        if trade.is_classic:  # the answer has less than the record, and what only it has is added
            return {**client.get_record(resource.name, code_in(answer, "transactionCode")), **answer}
        return typed(resource, made(answer))

    def differences(record: dict[str, Any]) -> list[str]:
        """What of a transaction, and of the one that takes where a call makes a pair, is not as asked for."""
        found, twin = unlike(wanted, record, resource.name), record.get("linkedTransactionCode")
        if trade.answer == "sourceTransaction" and twin:
            taker = {"customerCode": at(given, "destination.customerCode"), "cryptoCode": at(given, "destination.cryptoCode")}
            found += [f"of {twin}: {text}" for text in unlike(taker, client.get_record(resource.name, twin), resource.name)]
        return found

    return Write(
        method="POST",
        path=trade.path,
        body=body,
        find=search.find if place else None,
        read=lambda code: client.get_record(resource.name, code),
        code_of=lambda answer: code_in(made(answer), "transactionCode"),
        record_of=record_of,
        unlike=differences,
        came_to_nothing=search.came_to_nothing,
        reference=reference if place else "",
        carries=search.carries,
        lookup_by_hand=_by_hand(trade, place, reference),
        is_proof=trade.has_data,
    )


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


def cancel_write(client: NexusClient, code: str) -> Write:
    """The call that cancels a transaction."""

    def cancelled(_: datetime) -> list[dict[str, Any]]:
        record = client.get_record("transactions", code)
        status = _status(record)
        if status == "completed":
            raise NexusConflictError("POST", f"{_PATH}/{{code}}/cancel", detail=f"{code} is completed: it can't be cancelled")
        return [record] if status in ("cancelled", "tocancel") else []

    return _of_one(client, code, "POST", "cancel", None, cancelled)


def payout_write(
    client: NexusClient,
    ledger: Ledger,
    code: str,
    bank_account_id: str | None = None,
    payment_reference: str | None = None,
    *,
    step: Literal["confirming", "payout"] = "payout",
) -> Write:
    """The call that pays a transaction out; the ledger says whether this task sent it."""
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

    def record_of(answer: Any) -> dict[str, Any] | None:
        made = at(answer, "transaction")
        return typed(get_resource("transactions"), made) if isinstance(made, dict) else None

    def code_of(answer: Any) -> str:
        """The code, where the answer, or the record that was found, is of this transaction."""
        return code if is_same(code, code_in(at(answer, "transaction") or answer, "transactionCode")) else ""

    return Write(
        method=method,
        path=f"{path}/{action}",
        body=body,
        find=find,
        read=lambda known: client.get_record("transactions", known),
        code_of=code_of,
        record_of=record_of,
        lookup_by_hand=f"Look at the status in GET {path}.",
    )


def _status(record: Mapping[str, Any]) -> str:
    return str(record.get("status") or "").strip().casefold()
