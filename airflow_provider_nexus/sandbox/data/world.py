"""The world: settings turned into collections that belong together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox.call import Call
from airflow_provider_nexus.sandbox.collection import Collection, Listed, Record
from airflow_provider_nexus.sandbox.data import cabinet, configuration, mails, orders, transfers
from airflow_provider_nexus.sandbox.data.accounts import EACH, Accounts
from airflow_provider_nexus.sandbox.data.balances import Balances
from airflow_provider_nexus.sandbox.data.broker import BrokerTransactions, broker_timeline
from airflow_provider_nexus.sandbox.data.children import Children
from airflow_provider_nexus.sandbox.data.compliance import Compliance
from airflow_provider_nexus.sandbox.data.customers import Customers
from airflow_provider_nexus.sandbox.data.flows import flow
from airflow_provider_nexus.sandbox.data.mails import Mails
from airflow_provider_nexus.sandbox.data.market import Market
from airflow_provider_nexus.sandbox.data.mutations import HotWalletMutations
from airflow_provider_nexus.sandbox.data.orders import Orders
from airflow_provider_nexus.sandbox.data.registers import Registers
from airflow_provider_nexus.sandbox.data.trades import Trade, Trades
from airflow_provider_nexus.sandbox.data.transactions import Transactions
from airflow_provider_nexus.sandbox.data.transfers import Transfers
from airflow_provider_nexus.sandbox.data.treasury import Treasury
from airflow_provider_nexus.sandbox.misfits import removed
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.timeline import Presence, Twins, every, several, spread
from airflow_provider_nexus.sandbox.variants import reshaped


class World:
    """Everything there is.

    :param start: end of the seeded span and start of the clock, in microseconds
    :param anchor: the moment that deletions and late rows count from
    """

    def __init__(self, settings: SandboxSettings, start: int, anchor: int) -> None:
        self.settings, self.start, self.anchor = settings, start, anchor
        self._serial = 0
        self.market = Market(settings.seed)
        customers = spread(settings, "customers", settings.customers, start)
        trades = Twins(spread(settings, "transactions", settings.transactions, start), settings.transactions)
        customer_presence = Presence(settings, "customers", customers, anchor)
        self.trade_presence = Presence(settings, "transactions", trades, anchor)
        self.customers = Customers(self, customers, customer_presence)
        self.accounts = Accounts(self, several(customers, EACH), customer_presence)
        self.trades = Trades(self, trades)
        self.transactions = Transactions(self, trades, self.trade_presence)
        self.broker_transactions = BrokerTransactions(self, broker_timeline(trades))
        self.orders = Orders(self, every(trades, orders.STRIDE, orders.OFFSET))
        self.transfers = Transfers(self, every(trades, transfers.STRIDE, transfers.OFFSET))
        self.mails = Mails(self, every(trades, mails.STRIDE, mails.OFFSET))
        self.mutations = HotWalletMutations(self, several(trades, 2))
        self.balances = Balances(self)
        self.offspring = Children(self)
        self.cabinet = cabinet.Cabinet()
        self.treasury = Treasury(self)
        self.compliance = Compliance(self)
        self.registers = Registers(self)
        self.collections: dict[str, Collection] = self._collections()
        self.children: dict[str, Callable[[int, int], Collection]] = {
            **self.offspring.openers(),
            **self.compliance.openers(),
        }
        """Collections of one parent, opened with (parent's row, moment)."""
        self.snapshots: dict[str, Callable[[Call], Any]] = {
            **self.treasury.snapshots,
            **self.compliance.snapshots(),
            **self.registers.snapshots(),
            "transaction_flows": partial(flow, self),
        }
        """The ``values`` of resources without pages, as far as they are no collections."""
        self.adopt(settings)

    def _collections(self) -> dict[str, Collection]:
        return {
            "customers": self.customers,
            "accounts": self.accounts,
            "transactions": self.transactions,
            "broker_transactions": self.broker_transactions,
            "orders": self.orders,
            "transfers": self.transfers,
            "mails": self.mails,
            "hot_wallet_mutations": self.mutations,
            **{name: listed.fitted(partial(self.fitted, name)) for name, listed in self._short_lists().items()},
        }

    def _short_lists(self) -> dict[str, Listed]:
        return {
            "payment_methods": configuration.payment_methods(),
            "trust_levels": configuration.trust_levels(),
            "portfolios": configuration.portfolios(),
            "buckets": configuration.buckets(self),
            "exchanges": configuration.exchanges(),
            "trade_pairs": configuration.trade_pairs(self),
            "hot_wallet_balances": self.treasury.hot_wallet(),
            **self.registers.lists(),
        }

    def register(self, name: str) -> Listed:
        """A collection that is a short list, to be written to.

        :raises TypeError: for one that is none
        """
        listed = self.collections[name]
        if not isinstance(listed, Listed):
            raise TypeError(f"{name} is no short list")
        return listed

    def write_trade(self, trade: Trade) -> Trade:
        """A trade made over the API, in every view of it; it is given its row."""
        self.transactions.add_trade(trade)
        for view in (self.mutations, self.mutations, *([self.broker_transactions] if trade.is_broker else [])):
            view.link(trade)
        return trade

    def next_serial(self) -> int:
        """A number that was not given before."""
        self._serial += 1
        return self._serial

    def order_code(self, trade: int) -> str | None:
        """The code of the order that a seeded trade gave rise to."""
        row = self.orders.row_of(trade) if trade % orders.STRIDE == orders.OFFSET else None
        return None if row is None else self.orders.code(row)

    def adopt(self, settings: SandboxSettings) -> None:
        """Take over settings that leave the rows as they are."""
        self.settings = settings
        self._dropped = {name: self._not_offered(name) for name in RESOURCES}

    def _not_offered(self, name: str) -> tuple[str, ...]:
        offered = ("A" if self.settings.classic else "") + ("B" if self.settings.casp else "")
        dropped = tuple(field.name for field in RESOURCES[name].schema.fields if not set(field.surface) & set(offered))
        return (*dropped, *removed(RESOURCES[name], self.settings)) if name in self.snapshots else dropped

    def fitted(self, name: str, record: Record) -> Record:
        """A record without the fields of a generation that is not offered, and with an unknown one where asked for."""
        for field in self._dropped.get(name, ()):
            record.pop(field, None)
        if self.settings.unknown_fields:
            record["sandboxExtra"] = {"introduced": "2031-01"}
        return reshaped(name, record, self.settings.other_shapes)
