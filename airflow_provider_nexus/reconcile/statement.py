"""What Nexus states of a moment: custodian balances, reserves and the hot wallet, each amount with its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusDataError, NexusNotFoundError
from airflow_provider_nexus.extract.children import refuse_unknown_parent
from airflow_provider_nexus.extract.source import Source

_TRIES = 3
ALL = "all customers"
HOT_WALLET, COLD_STORE, EXCHANGE = "HotWallet", "Coldstore", "Exchange"
Place = tuple[str, str]
"""Where an amount lies, such as ``Exchange KRAKEN``, and its currency or crypto."""
Amounts = dict[Place, Decimal]
_MOST_DIGITS = 500
"""Before and after the point: amounts of more can't all be added up exactly."""


def place_name(kind: str | None, exchange: str | None) -> str:
    """The name of a place, whose kind Nexus may write in any case."""
    known = {each.casefold(): each for each in (HOT_WALLET, COLD_STORE, EXCHANGE)}
    return f"{known.get((kind or '').casefold(), kind or '')} {exchange or ''}".strip()


def amount_of(given: object, resource: str, code: str, field: str) -> Decimal:
    """An amount that can be added up, or ``NexusDataError``."""
    if isinstance(given, Decimal):
        exponent = given.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= -_MOST_DIGITS and given.adjusted() <= _MOST_DIGITS:
            return given
    raise NexusDataError(resource, code, field, given, "an amount, so nothing can be added up")


class Statement:
    """Asks Nexus, each question about all customers once."""

    def __init__(self, client: NexusClient) -> None:
        self._client, self._known = client, dict[tuple[str, datetime | None], list[dict[str, Any]]]()

    def balances(self, at: datetime) -> Amounts:
        """Total custodian balances at a moment."""
        return _amounts(self._records("balances", "balanceDateTime", at), "total", lambda _: ALL)

    def customer(self, code: str, at: datetime | None) -> Amounts:
        """The balances of one customer at a moment, ``None`` for now: none when Nexus does not know the customer."""
        try:
            records = self._records("customer_balances", "balanceDateTime", at, code)
        except NexusNotFoundError:
            try:
                refuse_unknown_parent(self._client, get_resource("customer_balances"), code)
            except NexusNotFoundError:
                return {}
            raise
        return _amounts(records, "total", lambda _: code)

    def reserves(self, at: datetime) -> Amounts:
        """Reserves at a moment, those of one place and code added up."""
        return _amounts(self._records("reserves", "reservesTimeStamp", at), "total", _place_of)

    def hot_wallet(self, since: Callable[[], Iterable[tuple[Place, Decimal]]]) -> tuple[Amounts, set[Place]]:
        """What was confirmed in the hot wallet at a moment, and the places that moved each time they were read.

        Nexus shows it as it is now, so what the ledger has had since is taken off: both are read until nothing comes in between.
        """
        found, stated = Amounts(), self._confirmed()
        for _ in range(_TRIES):
            later = defaultdict[Place, Decimal](Decimal)
            for place, amount in since():
                later[place] += amount
            before, stated = stated, self._confirmed()
            places = {*before, *stated, *later}
            nothing = Decimal(0)
            still = {place for place in places if before.get(place, nothing) == stated.get(place, nothing)}
            found |= {place: stated.get(place, nothing) - later[place] for place in still - set(found)}
            if not places - set(found):
                break
        return found, places - set(found)

    def _confirmed(self) -> Amounts:
        return _amounts(self._records("hot_wallet_balances", "", None), "confirmedReserve", lambda _: HOT_WALLET)

    def _records(self, name: str, moment: str, at: datetime | None, parent: str = "") -> list[dict[str, Any]]:
        if (name, at) in self._known and not parent:
            return self._known[name, at]
        resource = get_resource(name)
        filters = {moment: to_wire(at)} if at else {}
        source = Source(self._client, resource, parent=parent, filters=filters)
        records = [typed(resource, source.reader.record(row)) for row in source.whole().rows]
        if at and not parent:
            self._known[name, at] = records
        return records


def _amounts(records: list[dict[str, Any]], amount: str, place: Callable[[dict[str, Any]], str]) -> Amounts:
    found = defaultdict[Place, Decimal](Decimal)
    for record in records:
        code = at(record, "code") or at(record, "cryptoCode")
        if not isinstance(code, str):
            raise NexusDataError("reconciliation", "", "code", code, "a currency or crypto")
        found[place(record), code] += amount_of(at(record, amount), "reconciliation", code, amount)
    return dict(found)


def _place_of(record: dict[str, Any]) -> str:
    return place_name(at(record, "type"), at(record, "exchangeCode"))
