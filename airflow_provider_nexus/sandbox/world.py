"""The world: settings turned into rows that belong together. Nothing that it is made of knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox.call import ApiCall, Refusal
from airflow_provider_nexus.sandbox.data.books import Balances, Holdings
from airflow_provider_nexus.sandbox.data.broker import BrokerTransactions
from airflow_provider_nexus.sandbox.data.children import CustomerChildren
from airflow_provider_nexus.sandbox.data.customers import EACH, Accounts, Customers
from airflow_provider_nexus.sandbox.data.exchange import HotWalletMutations, Orders, Transfers
from airflow_provider_nexus.sandbox.data.mails import Mails
from airflow_provider_nexus.sandbox.data.market import Market
from airflow_provider_nexus.sandbox.data.registers import Banks, Registers
from airflow_provider_nexus.sandbox.data.trades import TradeFacts, Trades
from airflow_provider_nexus.sandbox.data.transactions import Transactions, callbacks, flow
from airflow_provider_nexus.sandbox.data.treasury import Treasury
from airflow_provider_nexus.sandbox.filters import select
from airflow_provider_nexus.sandbox.rows import Listed, ListedRow, Record, RowSet
from airflow_provider_nexus.sandbox.served import NOUNS
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.shapes import fitted, removed, spoiled
from airflow_provider_nexus.sandbox.stamps import stamped
from airflow_provider_nexus.sandbox.timeline import Presence, several, spread, twins

_STORE: Record = {
    "name": "files",
    "description": None,
    "documentStoreType": "AzureFileShare",
    "shareName": "documents",
    "maxFileSizeInMB": 10,
    "maxFileCount": 100,
}


class World:
    """Everything there is.

    :param settings: those that don't shape the rows may be replaced later
    :param start: end of the seeded span and start of the clock, in microseconds
    :param anchor: the moment that deletions and late rows count from
    """

    def __init__(self, settings: SandboxSettings, start: int, anchor: int) -> None:
        self.settings, self.start, self.anchor = settings, start, anchor
        self.next_serial = count(1).__next__
        """Gives a number that was not given before."""
        self.store: Record | None = dict(_STORE)
        """Settings of the document store; ``None`` where there is none."""
        self.files: dict[str, bytes] = {}
        """Contents of uploaded documents by path."""
        self.judged: dict[tuple[str, str], list[Record]] = {}
        """Hits of a screening that were judged, by (list, entity)."""
        seed, self.market = settings.seed, Market(settings.seed)
        made = spread(settings, "customers", settings.customers, start)
        traded = twins(spread(settings, "transactions", settings.transactions, start), settings.transactions)
        present, shown = Presence(settings, "customers", made, anchor), Presence(settings, "transactions", traded, anchor)
        self.customers = Customers(seed, made, present)
        self.accounts = Accounts(seed, self.customers, several(made, EACH), present)
        self.trades = Trades(settings, traded, self.customers, self.market, start)
        self.transactions = Transactions(self.trades, shown)
        self.orders = Orders(settings, self.trades, shown)
        self.transfers = Transfers(settings, self.trades, shown)
        self.broker_transactions = BrokerTransactions(self.customers, self.trades, self.orders, shown)
        self.mails = Mails(seed, self.customers, self.trades, shown)
        self.mutations = HotWalletMutations(self.trades, self.transfers, shown)
        wrong = lambda: self.settings.wrong_books  # noqa: E731 - the settings may be replaced
        self.balances = Balances(start, settings.lives, self.trades, self.transactions, wrong)
        books = Holdings(start, self.market, self.orders, self.transfers, self.mutations, wrong)
        self.banks = Banks(seed, self.next_serial)
        self._registers = Registers(settings, start, self.market)
        self._offspring = CustomerChildren(seed, self.customers, self.banks)
        self._treasury = Treasury(seed, self.market, self.balances, books, self.customers)
        self._changed: dict[tuple[str, int], Listed] = {}
        self._name()

    def _name(self) -> None:
        """Sort all there is by the names of the resources."""
        self.lists: dict[str, Listed] = {
            **self._registers.lists(),
            "banks": self.banks,
            "hot_wallet_balances": self._treasury.hot_wallet(),
        }
        """Collections that are short lists; writes change them."""
        self.collections: dict[str, RowSet] = {
            "customers": self.customers,
            "accounts": self.accounts,
            "transactions": self.transactions,
            "broker_transactions": self.broker_transactions,
            "orders": self.orders,
            "transfers": self.transfers,
            "mails": self.mails,
            "hot_wallet_mutations": self.mutations,
            **self.lists,
        }
        self._children: dict[str, Callable[[int, int], Iterable[ListedRow]]] = {
            **self._offspring.lists,
            "payment_method_customer_fees": self._registers.customer_fees,
            "payment_method_tag_fees": self._registers.tag_fees,
            "transaction_callbacks": lambda row, at: callbacks(self.trades, self.trades.get(row), at),
            "broker_transaction_callbacks": lambda row, at: callbacks(self.trades, self.broker_transactions.trade(row), at),
        }
        self.snapshots: dict[str, Callable[[ApiCall], Any]] = {
            **self._treasury.snapshots,
            **self._offspring.snapshots,
            "customer_trace_summaries": self._trace_summaries,
            "transaction_flows": lambda call: flow(self.trades.get(self.found("transactions", call.parts["parent"], call.at))),
            "document_store": lambda call: dict(self.known_store()),  # noqa: ARG005
            "sanction_list_uploads": lambda call: self._registers.uploads(
                without_newest=call.query.get("excludelatest", "").lower() == "true"
            ),
        }
        """The ``values`` of resources without pages that are no collections."""

    def found(self, name: str, code: str, at: int) -> int:
        """The row of a collection with that key, or 404."""
        return self.collections[name].found(noun(name), code, at)

    def children(self, name: str, row: int, at: int, *, to_change: bool = False) -> Listed:
        """The collection of one parent. What is done to one that is taken to be changed lasts."""
        changed = self._changed.get((name, row))
        if changed is None:
            changed = Listed(self._children[name](row, at))
            if to_change:
                self._changed[name, row] = changed
        return changed

    def collection_of(self, resource: Resource, parent: str, at: int) -> RowSet:
        """The collection of a resource; a child's belongs to the parent of that code, or 404."""
        if not resource.parent:
            return self.collections[resource.name]
        return self.children(resource.name, self.found(resource.parent, parent, at), at)

    def write_trade(self, trade: TradeFacts) -> None:
        """A trade made over the API, in every view of it; it is given its row."""
        self.transactions.add_trade(trade)
        for view in (self.mutations, self.mutations, *([self.broker_transactions] if trade.is_broker else [])):
            view.link(trade)

    def fitted(self, name: str, record: Record, *, single: bool = True) -> Record:
        """A record in the shapes that the settings ask for; the one given may be changed."""
        return fitted(name, record, self.settings, self.start, single=single)

    def answered(self, call: ApiCall, name: str, record: Record) -> Record:
        """A record of a resource as the answer to a call that changes something."""
        shown: Record = stamped(self.fitted(name, record), call.form(name))
        return shown

    def answered_row(self, call: ApiCall, name: str, row: int) -> Record:
        """The same for a row of a collection."""
        return self.answered(call, name, self.collections[name].record(row, call.at))

    def sent(self, resource: Resource, rows: RowSet, row: int, at: int, *, single: bool = False) -> Record:
        """The record of a row as reads send it, with all that is wrong with it; stamps are written with the answer."""
        record = spoiled(resource, rows, row, self.fitted(resource.name, rows.record(row, at), single=single), self.settings)
        for name in removed(resource, self.settings):
            record.pop(name, None)
        return record

    def snapshot(self, resource: Resource, call: ApiCall) -> tuple[Any, list[Record]]:
        """The ``values`` of a resource without pages, and the records in them, whose stamps are not written yet."""
        values = self.snapshots[resource.name](call)
        records = _records_in(resource, values)
        for record in records:
            self.fitted(resource.name, record)
            for name in removed(resource, self.settings):
                record.pop(name, None)
        return values, records

    def _trace_summaries(self, call: ApiCall) -> list[Record]:
        """An array, not paged; ``startDate`` bounds the traces that are counted."""
        resource = RESOURCES["customer_traces"]
        traces = self.collection_of(resource, call.parts["parent"], call.at)
        seen: Counter[tuple[str | None, ...]] = Counter()
        for row in select(resource, traces, call, self.settings).rows(traces, call.at):
            record = traces.record(row, call.at)
            place = record["geoLocation"] or {}
            seen[record["ip"], place.get("countryCode"), place.get("countryName"), place.get("isp")] += 1
        names = ("ip", "countryCode", "countryName", "isp")
        return [{**dict(zip(names, key, strict=True)), "count": times} for key, times in seen.items()]

    def known_store(self) -> Record:
        """The settings of the document store, or 404."""
        if self.store is None:
            raise Refusal(404, "DocumentStoreNotFound", "There is no document store")
        return self.store


def noun(name: str) -> str:
    """What a record of a resource is called in error codes."""
    return NOUNS.get(name, RESOURCES[name].schema.name)


def _records_in(resource: Resource, values: Any) -> list[Record]:
    if resource.shape is Shape.OBJECT:
        return [values]
    if isinstance(values, list):
        return values
    groups = [values[name] for name in resource.holders] or [values]
    return [record for group in groups for record in (group.values() if isinstance(group, dict) else group)]
