"""What Nexus states of a moment: custodian balances, reserves and the hot wallet, each amount with its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.api.records import typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.extract.source import Source

_TRIES = 3
ALL = "all customers"
HOT_WALLET, COLD_STORE, EXCHANGE = "HotWallet", "Coldstore", "Exchange"
Place = tuple[str, str]
"""Where an amount lies, such as ``Exchange KRAKEN``, and its currency or crypto."""
Amounts = dict[Place, Decimal]


class Statement:
    """Asks Nexus, each question once.

    :param client: makes the calls
    """

    def __init__(self, client: NexusClient) -> None:
        self._client, self._known = client, dict[tuple[str, str, datetime | None], list[dict[str, Any]]]()

    def balances(self, at: datetime) -> Amounts:
        """Total custodian balances at a moment."""
        return self._amounts(self._records("balances", "balanceDateTime", at), "total", lambda _: ALL)

    def customer(self, code: str, at: datetime | None) -> Amounts:
        """The balances of one customer at a moment; ``None`` for now, which is asked anew each time."""
        records = self._records("customer_balances", "balanceDateTime", at, code)
        return self._amounts(records, "total", lambda _: code)

    def reserves(self, at: datetime) -> Amounts:
        """Reserves at a moment, those of one place and code added up."""
        return self._amounts(self._records("reserves", "reservesTimeStamp", at), "total", _place_of)

    def hot_wallet(self, at: datetime, log: Log) -> Amounts:
        """What was confirmed in the hot wallet at a moment.

        Nexus shows it as it is now, so what the ledger has had since is taken off: both are read until nothing comes in between.
        """
        stated = self._confirmed()
        for _ in range(_TRIES):
            wanted = RecordsWanted(resource=get_resource("hot_wallet_mutations"), start=at, settle_lag=0)
            entries = list(wanted.records(self._client, log))
            before, stated = stated, self._confirmed()
            if stated == before:
                break
        found = defaultdict[Place, Decimal](Decimal, stated)
        for entry in entries:
            found[HOT_WALLET, entry["cryptoCode"]] -= entry["cryptoAmount"]
        return dict(found)

    def _confirmed(self) -> Amounts:
        records = self._records("hot_wallet_balances", "", None)
        return self._amounts(records, "confirmedReserve", lambda _: HOT_WALLET, code="cryptoCode")

    def _records(self, name: str, moment: str, at: datetime | None, parent: str = "") -> list[dict[str, Any]]:
        asked = name, parent, at
        if asked not in self._known or at is None:
            resource = get_resource(name)
            filters = {moment: to_wire(at)} if at else {}
            source = Source(self._client, resource, parent=parent, filters=filters)
            self._known[asked] = [typed(resource, source.reader.record(row)) for row in source.whole().rows]
        return self._known[asked]

    @staticmethod
    def _amounts(
        records: list[dict[str, Any]], amount: str, place: Callable[[dict[str, Any]], str], code: str = "code"
    ) -> Amounts:
        found = defaultdict[Place, Decimal](Decimal)
        for record in records:
            if not isinstance(record.get(amount), Decimal):
                raise NexusDataError("reconciliation", str(record.get(code)), amount, record.get(amount), "an amount")
            found[place(record), str(record.get(code) or record.get("cryptoCode"))] += record[amount]
        return dict(found)


def _place_of(record: dict[str, Any]) -> str:
    return f"{record.get('type')} {record.get('exchangeCode') or ''}".rstrip()
