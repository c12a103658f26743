"""Movements: what the records of a copy moved in each place, by the rules that the books of Nexus follow.

See docs/api_facts.rst, Prices and balances, and Orders and transfers. No source states these rules, so the page on reconciliation
names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from airflow_provider_nexus.api import lifecycles
from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.reconcile.copied import READ_AT, CopiedRecords, Values
from airflow_provider_nexus.reconcile.statement import EXCHANGE, HOT_WALLET, Place, amount_of, place_name

NOBODY = ""
"""The place of transactions without a customer."""
_ELSEWHERE = (HOT_WALLET, "Other", "")
"""Ends of transfers that are moved by other records, or are none of Nexus' places."""


class Movement(NamedTuple):
    """An amount that a record moved, with its sign: the code of the record, what of it, for a person, and when.

    That is for a transaction when it was created, as Nexus does not tell when it was completed.
    """

    place: Place
    amount: Decimal
    record: str
    what: str
    at: datetime


class Transaction(NamedTuple):
    """A transaction: what it moves once completed, 0 while unknown; ``read_at`` is when a copy's version was read."""

    movement: Movement
    phase: Phase
    read_at: datetime | None = None

    @property
    def is_completed(self) -> bool:
        """Whether it moves a balance."""
        return self.phase is Phase.SUCCEEDED


TRANSACTION_FIELDS = ("transactionCode", "customerCode", "status", "created", "cryptoCode", "balanceMutation.crypto")


def of_transactions(copy: CopiedRecords, span: Window) -> Iterator[Transaction]:
    """The transactions of a copy, each in the place of its customer."""
    return (of_transaction(*values) for values in copy.read((*TRANSACTION_FIELDS, READ_AT), span.start, span.end))


def of_transaction(
    code: str,
    customer: str | None,
    status: str | None,
    created: datetime,
    crypto: str | None,
    amount: object,
    read_at: datetime | None = None,
) -> Transaction:
    """A transaction; ``NexusDataError`` when it is not known whether it is completed, or what it moves."""
    phase = lifecycles.TRANSACTION.phase(status)
    if amount and phase is Phase.UNKNOWN:
        raise NexusDataError("transactions", code, "status", status, "a status of which it is known whether it moves a balance")
    number = Decimal(0) if amount is None else amount_of(amount, "transactions", code, "balanceMutation.crypto")
    place = customer or NOBODY, crypto or ""
    return Transaction(Movement(place, number, code, "its mutation", created), phase, read_at)


MUTATION_FIELDS = ("transactionCode", "type", "created", "cryptoCode", "cryptoAmount")
ORDER_FIELDS = (
    *("orderCode", "action", "finished", "tradePair.exchangeCode", "tradePair.cryptoCode", "tradePair.currencyCode"),
    *("executed.amount", "executed.value", "executed.fee"),
)
TRANSFER_FIELDS = (
    *("transferCode", "status", "finished", "cryptoCode", "amount", "address.sourceType", "address.sourceExchangeCode"),
    *("address.sinkType", "address.sinkExchangeCode"),
)
FIELDS = {
    "transactions": TRANSACTION_FIELDS,
    "hot_wallet_mutations": MUTATION_FIELDS,
    "orders": ORDER_FIELDS,
    "transfers": TRANSFER_FIELDS,
}
"""What is read of each copy."""


def of_mutations(rows: Iterable[Values]) -> Iterator[Movement]:
    """The entries of the hot wallet's ledger, by values of :data:`MUTATION_FIELDS`."""
    for code, kind, created, crypto, amount in rows:
        number = amount_of(amount, "hot_wallet_mutations", code or "", "cryptoAmount")
        yield Movement((HOT_WALLET, crypto or ""), number, code or "", f"its entry {kind}", created)


def of_orders(rows: Iterable[Values], span: Window) -> Iterator[Movement]:
    """What orders that ended in a span moved, by :data:`ORDER_FIELDS`: coins one way, money the other, and the fee in money."""
    for code, action, finished, exchange, crypto, currency, amount, value, fee in rows:
        if finished is None or not span.start <= finished < span.end or amount is None:
            continue
        sign = {"buy": 1, "sell": -1}.get(str(action).lower())
        if sign is None:
            raise NexusDataError("orders", code, "action", action, "Buy or Sell")
        place = place_name(EXCHANGE, exchange)
        coins, money = amount_of(amount, "orders", code, "executed.amount"), amount_of(value, "orders", code, "executed.value")
        yield Movement((place, crypto or ""), sign * coins, code, "its amount", finished)
        yield Movement((place, currency or ""), -sign * money, code, "its value", finished)
        if fee:
            yield Movement((place, currency or ""), -amount_of(fee, "orders", code, "executed.fee"), code, "its fee", finished)


def of_transfers(rows: Iterable[Values], span: Window) -> Iterator[Movement]:
    """Transfers that were completed in a span; what they do to the hot wallet is in its ledger.

    :param rows: values of :data:`TRANSFER_FIELDS`
    :raises NexusDataError: when it is not known whether one was completed
    """
    for code, status, finished, crypto, amount, source, of_source, sink, of_sink in rows:
        phase = lifecycles.TRANSFER.phase(status)
        if finished is None or not span.start <= finished < span.end:
            continue
        if phase is Phase.UNKNOWN:
            raise NexusDataError("transfers", code, "status", status, "a status of which it is known whether it moves reserves")
        if phase is not Phase.SUCCEEDED:
            continue
        number = amount_of(amount, "transfers", code, "amount")
        for kind, exchange, sign in ((source, of_source, -1), (sink, of_sink, 1)):
            if (place := place_name(kind, exchange)) not in _ELSEWHERE:
                yield Movement((place, crypto or ""), sign * number, code, "its amount", finished)
