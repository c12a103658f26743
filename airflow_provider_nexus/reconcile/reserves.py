"""What moves reserves: orders and transfers that ended, and the hot wallet's ledger; at the edges of a span as Nexus has them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.reconcile.copied import CopiedRecords, Values
from airflow_provider_nexus.reconcile.judge import reasons_of
from airflow_provider_nexus.reconcile.movements import (
    MUTATION_FIELDS,
    ORDER_FIELDS,
    TRANSFER_FIELDS,
    Movement,
    of_mutations,
    of_orders,
    of_transfers,
)
from airflow_provider_nexus.reconcile.statement import Place

_ByPlace = Mapping[Place, Sequence[Movement]]


class ReserveMovements:
    """Reads what moved reserves in a span; copies of orders and transfers can be missing."""

    def __init__(self, client: NexusClient, copies: Mapping[str, CopiedRecords], span: Window, log: Log) -> None:
        self._client, self._copies, self._span, self._log = client, copies, span, log

    def of_ledger(self) -> Iterator[Movement]:
        """Entries of the hot wallet's ledger."""
        return of_mutations(self._copies["hot_wallet_mutations"].read(MUTATION_FIELDS, self._span.start, self._span.end))

    def ledger_since(self) -> Iterator[tuple[Place, Decimal]]:
        """What the hot wallet's ledger has had since the end of the span."""
        rows = self._live(get_resource("hot_wallet_mutations"), MUTATION_FIELDS, self._span.end, None)
        return ((each.place, each.amount) for each in of_mutations(rows))

    def all(self) -> Iterator[Movement]:
        """Those of orders, transfers and the ledger."""
        yield from of_orders(self._ended("orders", ORDER_FIELDS), self._span)
        yield from of_transfers(self._ended("transfers", TRANSFER_FIELDS), self._span)
        yield from self.of_ledger()

    def of(self, differences: Mapping[Place, Decimal]) -> tuple[_ByPlace, _ByPlace]:
        """Of places that differ the movements at the edges of the span, and those that are alike the difference: all in one pass.

        At an edge is what the records have and Nexus perhaps not, or with the other sign the other way. No source tells whether
        Nexus takes in the second that it is asked for: then the second of the start is in the opening already, and the second of
        the moment is stated though the span ends before it.
        """
        edges, alike = defaultdict[Place, list[Movement]](list), defaultdict[Place, list[Movement]](list)
        amounts = {place: reasons_of(difference) for place, difference in differences.items()}
        for each in self.all() if amounts else ():
            if each.place in amounts:
                if each.at < self._span.start + SECOND:
                    edges[each.place].append(each)
                if each.amount in amounts[each.place]:
                    alike[each.place].append(each)
        for each in self._of_the_moment() if amounts else ():
            edges[each.place].append(each._replace(amount=-each.amount))
        return edges, alike

    def _of_the_moment(self) -> list[Movement]:
        start, end = self._span.end, self._span.end + SECOND
        second = Window(start, end)
        orders, transfers = (
            dataclasses.replace(each, created=each.finished) for each in map(get_resource, ("orders", "transfers"))
        )
        return [
            *of_orders(self._live(orders, ORDER_FIELDS, start, end), second),
            *of_transfers(self._live(transfers, TRANSFER_FIELDS, start, end), second),
            *of_mutations(self._live(get_resource("hot_wallet_mutations"), MUTATION_FIELDS, start, end)),
        ]

    def _ended(self, name: str, fields: Sequence[str]) -> Iterator[Values]:
        copy = self._copies[name]
        return copy.read(fields, copy.first(self._span), self._span.end)

    def _live(self, resource: Resource, fields: Sequence[str], start: datetime, end: datetime | None) -> Iterator[Values]:
        wanted = RecordsWanted(resource=resource, start=start, end=end, settle_lag=0)
        for record in wanted.records(self._client, self._log):
            yield tuple(at(record, field) for field in fields)
