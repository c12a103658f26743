"""GET endpoints beside the catalogue's. See docs/api_facts.rst, Endpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.customers import CUSTOMER
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import Answer, Call, bare, not_found, success
from airflow_provider_nexus.sandbox.collection import Collection, Path, Record
from airflow_provider_nexus.sandbox.data.accounts import Accounts
from airflow_provider_nexus.sandbox.data.broker import totals
from airflow_provider_nexus.sandbox.data.trades import CENTS
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.filters import select
from airflow_provider_nexus.sandbox.listing import page_answer
from airflow_provider_nexus.sandbox.misfits import outgoing
from airflow_provider_nexus.sandbox.reads import whole
from airflow_provider_nexus.sandbox.routing import Route
from airflow_provider_nexus.sandbox.stamps import Form

_PERSONAL = [field.name for field in CUSTOMER.fields if field.personal and field.surface == "B"]


class AccountsOf(Collection):
    """The accounts of one customer."""

    def __init__(self, accounts: Accounts, customer: int) -> None:
        self._accounts, self._customer = accounts, customer

    def rows(self, since: int | None, until: int | None, at: int) -> Sequence[int]:
        """The rows stamped in ``[since, until)`` that can be seen."""
        rows = self._accounts.of_customer(self._customer, at)
        return [row for row in rows if (since is None or self.stamp(row) >= since) and (until is None or self.stamp(row) < until)]

    def stamp(self, row: int) -> int:
        """The row's stamp."""
        return self._accounts.stamp(row)

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:
        """The row as it is at a moment."""
        return self._accounts.record(row, at, form, single=single)

    def value(self, row: int, at: int, path: Path) -> Any:
        """One value of the row."""
        return self._accounts.value(row, at, path)

    def find(self, code: str, at: int) -> int | None:
        """The row of an account code of this customer."""
        row = self._accounts.find(code, at)
        return row if row is not None and self._accounts.owner(row) == self._customer else None


def customer_row(world: World, call: Call) -> int:
    """The customer that the path names.

    :raises Refusal: 404 when there is none
    """
    row = world.customers.find(call.parts["customer"], call.at)
    if row is None:
        raise not_found("Customer", call.parts["customer"])
    return row


def _totals(world: World, call: Call) -> Answer:
    resource = RESOURCES["broker_transactions"]
    chosen = select(resource, world.broker_transactions, call, world.settings)
    rows = chosen.rows(world.broker_transactions, call.at)
    return success(
        {"filteringParameters": chosen.echo, "totals": totals(world.broker_transactions, rows, call.at, world.settings)}
    )


def _accounts(world: World, call: Call) -> Answer:
    accounts = AccountsOf(world.accounts, customer_row(world, call))
    return page_answer(RESOURCES["accounts"], accounts, call, world.settings)


def _limits(world: World, call: Call) -> Answer:
    row = customer_row(world, call)
    used = row * 137 % 1000
    remaining = {"dailyLimit": money.number(100_000 - used, CENTS), "monthlyLimit": money.number(1_000_000 - used, CENTS)}
    total = {"dailyLimit": Raw(b"1000.00"), "monthlyLimit": Raw(b"10000")}
    more = {"yearlyLimit": None, "lifetimeLimit": None}
    parameters = {name: call.query.get(name.lower()) for name in ("currencyCode", "paymentMethodCode", "cryptoCode")}
    reasons = None if world.customers.status(row, call.at) == "ACTIVE" else ["UnidentifiedBusiness"]
    return success(
        {"limitParameters": parameters, "limitReasons": reasons, "remaining": {**remaining, **more}, "total": {**total, **more}}
    )


def _hot_wallet(world: World, call: Call) -> Answer:
    resource, balances = RESOURCES["hot_wallet_balances"], world.collections["hot_wallet_balances"]
    row = balances.find(call.parts["crypto"].upper(), call.at)
    if row is None:
        raise not_found("CryptoCurrency", call.parts["crypto"])
    record = balances.record(row, call.at, call.form(resource.name))
    return bare(outgoing(resource, balances, row, record, world.settings), records=1)


def _exchanges(world: World, call: Call) -> Answer:
    """One object, as it is declared; with the other shape, all of them."""
    records = whole(RESOURCES["exchanges"], world.collections["exchanges"], world, call)
    return success(records, len(records)) if "exchanges" in world.settings.other_shapes else success(records[0], 1)


def _trade_pairs(world: World, call: Call) -> Answer:
    records = whole(RESOURCES["trade_pairs"], world.collections["trade_pairs"], world, call)
    exchange = call.parts.get("exchange")
    if exchange is not None:
        records = [record for record in records if record["exchange"]["code"].casefold() == exchange.casefold()]
        if not records:
            raise not_found("Exchange", exchange)
    return success(records if "trade_pairs" in world.settings.other_shapes else {"tradePairs": records}, len(records))


def _of_snapshot(name: str) -> Callable[[World, Call], Answer]:
    return lambda world, call: success(world.snapshots[name](call))


ROUTES = (
    Route("GET", "/transaction/totals", _totals, "A"),
    Route("GET", "/customer/{customer}/accounts", _accounts),
    Route("GET", "/customer/{customer}/limits/broker/buy", _limits),
    Route("GET", "/customer/{customer}/limits/broker/sell", _limits),
    Route("GET", "/prices/{parent}/{crypto}", _of_snapshot("prices"), "B"),
    Route("GET", "/balances/hotwallet/{crypto}", _hot_wallet, "B"),
    Route("GET", "/exchanges", _exchanges, "B"),
    Route("GET", "/tradepairs", _trade_pairs, "B"),
    Route("GET", "/tradepairs/{exchange}", _trade_pairs, "B"),
)
"""What the catalogue does not hold, and the lists whose shape is not certain."""
