"""What all trading calls share: who trades what, at which price, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.call import Call, not_found
from airflow_provider_nexus.sandbox.chance import dealer
from airflow_provider_nexus.sandbox.collection import Record
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.market import PRICE_SCALE
from airflow_provider_nexus.sandbox.data.progress import COMPLETED, INSTANT, Course
from airflow_provider_nexus.sandbox.data.trades import CENTS, UNITS, Trade, cents_for, units_for
from airflow_provider_nexus.sandbox.data.vocabulary import CRYPTOS, Currency
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.stamps import MINUTE, SECOND
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.accounts import register
from airflow_provider_nexus.sandbox.writes.checks import Body

_BANDS = {"BUY": (95, 110), "BROKERBUY": (95, 110), "SELL": (90, 105), "BROKERSELL": (90, 105)}
"""Percent of Nexus' price between which a requested price is accepted."""
_GIVEN = {
    "paymentReference": "paymentReference",
    "callbackUrl": "callbackUrl",
    "blockchainMessage": "blockchainMessage",
    "data": "data",
}
_SETTLES, _SETTLES_AT_ONCE = 5 * MINUTE, 10 * SECOND
NOBODY = -1
"""The row of a trade that is only simulated."""


@dataclass(frozen=True)
class Order:
    """What a call asks for.

    :param kind: type of the transaction
    :param customer: the customer's row, or ``None``
    :param account: the account's row, or ``None`` to take or make one
    :param cents: value at scale 2
    :param units: crypto at scale 8
    :param price: millionths of the currency per crypto
    """

    kind: str
    customer: int | None
    account: int | None
    crypto: int
    currency: Currency
    cents: int
    units: int
    price: int


def order(world: World, call: Call, kind: str, body: Body, customer: int | None) -> Order:
    """Read crypto, currency, amount and price of a body.

    :raises Refusal: for whatever is wrong with them
    """
    crypto, currency = checks.crypto(body), checks.currency(body)
    price = _price(world, call, kind, crypto, currency, body)
    cents, units = checks.units(body, "fiatValue", CENTS), checks.units(body, "cryptoAmount", UNITS)
    if cents is None and units is None and kind == "RECEIVEIN":
        cents = units = 0  # an open request: whatever comes is taken
    if cents is None and units is None:
        raise checks.refuse("ValidationError", "The request is not valid", "fiatValue or cryptoAmount is required")
    if units is None:
        units = units_for(cents or 0, price)
    if cents is None:
        cents = cents_for(units, price)
    account = find_account(world, call, checks.text(body, "accountCode"))
    return Order(kind, customer, account, crypto, currency, cents, units, price)


def _price(world: World, call: Call, kind: str, crypto: int, currency: Currency, body: Body) -> int:
    price = world.market.price(crypto, currency, call.at)
    requested = checks.units(body, "requestedPrice", PRICE_SCALE)
    if requested is None:
        return price
    low, high = _BANDS.get(kind, (90, 110))
    if requested * 100 > price * high:
        raise checks.refuse("RequestedHigherThanMaximum", "The requested price is too high")
    if requested * 100 < price * low:
        raise checks.refuse("RequestedLowerThanMinimum", "The requested price is too low")
    return requested


def find_account(world: World, call: Call, code: str | None) -> int | None:
    """The row of an account code, or of a crypto code, a dash and an address.

    :raises Refusal: 404 when there is none
    """
    if not code:
        return None
    row = world.accounts.find(code, call.at)
    for crypto, kind in enumerate(CRYPTOS):
        address = code.removeprefix(f"{kind.code}-")
        if row is None and address != code:
            row = next(
                (each for each in world.accounts.rows(None, None, call.at) if _is_at(world, call, each, crypto, address)), None
            )
    if row is None:
        raise not_found("Account", code)
    return row


def _is_at(world: World, call: Call, row: int, crypto: int, address: str) -> bool:
    if world.accounts.crypto(row) != crypto:
        return False
    record = world.accounts.record(row, call.at, call.form("accounts"))
    return address in ((record["customerCryptoAddress"] or "").strip(), (record["dcReceiveAddress"] or "").strip())


def refuse_low_balance(world: World, call: Call, wanted: Order) -> None:
    """Refuse to take more from a customer than there is."""
    if wanted.customer is None:
        return
    available = world.balances.available(wanted.customer, wanted.crypto, call.at)
    if Decimal(wanted.units).scaleb(-UNITS) > available:
        refusal = checks.refuse("LowBalance", f"Only {available:f} is available")
        refusal.values = {"limitReasons": ["LowBalance"]}
        raise refusal


def build(world: World, call: Call, wanted: Order, body: Body, method: str | None) -> Trade:
    """A trade that is not written yet, as a simulation shows it. It settles in minutes and succeeds."""
    at_once = wanted.kind in INSTANT
    dealt = dealer(world.settings.seed, "written")(len(world.trades.written))
    extra: dict[str, Any] = {name: body.get(folded.lower()) for name, folded in _GIVEN.items()}
    extra["paymentMethodCode"] = method
    course = Course(_SETTLES_AT_ONCE if at_once else _SETTLES, COMPLETED)
    return Trade(
        NOBODY,
        call.at,
        wanted.kind,
        wanted.customer,
        wanted.account,
        wanted.crypto,
        wanted.currency,
        wanted.cents,
        wanted.units,
        wanted.price,
        money.PLAIN,
        course,
        dealt,
        extra=extra,
    )


def write(world: World, call: Call, trade: Trade, *, staged: bool = False) -> Trade:
    """Write a trade; it is given an account of its crypto, a new one if the customer has none."""
    if trade.account is None and trade.customer is not None:
        trade.account = _account(world, call, trade)
    world.write_trade(trade)
    if staged:
        world.trades.pin(trade.row, call.at, progress.STAGED)
    return trade


def _account(world: World, call: Call, trade: Trade) -> int:
    kind = "Broker" if trade.is_broker else "Custodian"
    customer = trade.customer or 0
    for row in world.accounts.of_customer(customer, call.at):
        alive = world.accounts.status(row, call.at) not in ("DELETED", "INVALID")
        if alive and world.accounts.kind(row) == kind and world.accounts.crypto(row) == trade.crypto:
            return row
    return register(world, customer, kind, trade.crypto, call.at, trade.extra.get("destinationCryptoAddress"))


def shown(world: World, call: Call, trade: Trade) -> Record:
    """A trade as it is answered to the call that made it."""
    record = world.transactions.shown(trade, call.at, call.form("transactions"), single=True)
    if trade.kind in ("BUY", "BROKERBUY") and world.settings.casp:
        record["fiatAmountToPay"] = money.number(trade.cents, CENTS)
        record["baseFiatAmountToPay"] = money.number(trade.cents * 1_000_000 // trade.currency.rate, CENTS)
    return record


def account_code(trade: Trade) -> str | None:
    """The code of a trade's account."""
    return None if trade.account is None else codes.account(trade.account)
