"""Trades made over the API: who trades what, at which price, and what comes back."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiCall, not_found
from airflow_provider_nexus.sandbox.chance import dealer
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.market import Currency, crypto_index
from airflow_provider_nexus.sandbox.data.progress import COMPLETED, INSTANT, Course
from airflow_provider_nexus.sandbox.data.trades import TradeFacts
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import MINUTE, SECOND
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.checks import Body
from airflow_provider_nexus.sandbox.writes.customers import register

_BANDS = {"BUY": (95, 110), "BROKERBUY": (95, 110), "SELL": (90, 105), "BROKERSELL": (90, 105)}
"""Percent of Nexus' price between which a requested price is accepted."""
_GIVEN = ("paymentReference", "callbackUrl", "blockchainMessage", "data")
_SETTLES, _SETTLES_AT_ONCE = 5 * MINUTE, 10 * SECOND
NOBODY = -1
"""The row of a trade that is only simulated."""


def asked(world: World, call: ApiCall, kind: str, body: Body, customer: int | None) -> TradeFacts:
    """The trade that a body asks for, not written yet; it settles in minutes and succeeds. What is wrong with it is refused."""
    crypto, currency = checks.crypto(body), checks.currency(body)
    price = _price(world, call, kind, crypto, currency, body)
    cents, units = checks.units(body, "fiatValue", money.CENTS), checks.units(body, "cryptoAmount", money.UNITS)
    if cents is None and units is None and kind == "RECEIVEIN":
        cents = units = 0  # an open request: whatever comes is taken
    if cents is None and units is None:
        raise checks.invalid("fiatValue or cryptoAmount is required")
    if units is None:
        units = money.units_for(cents or 0, price)
    if cents is None:
        cents = money.cents_for(units, price)
    account = find_account(world, call, checks.text(body, "accountCode"))
    course = Course(_SETTLES_AT_ONCE if kind in INSTANT else _SETTLES, COMPLETED)
    dealt = dealer(world.settings.seed, "written")(len(world.trades.written))
    return TradeFacts(NOBODY, call.at, kind, customer, account, crypto, currency, cents, units, price, money.PLAIN, course, dealt)


def _price(world: World, call: ApiCall, kind: str, crypto: int, currency: Currency, body: Body) -> int:
    price = world.market.price(crypto, currency, call.at)
    requested = checks.units(body, "requestedPrice", money.PRICE_SCALE)
    if requested is None:
        return price
    low, high = _BANDS.get(kind, (90, 110))
    if requested * 100 > price * high:
        raise checks.refuse("RequestedHigherThanMaximum", "The requested price is too high")
    if requested * 100 < price * low:
        raise checks.refuse("RequestedLowerThanMinimum", "The requested price is too low")
    return requested


def find_account(world: World, call: ApiCall, code: str | None) -> int | None:
    """The row of an account code, or of a crypto code, a dash and an address; 404 when there is none."""
    if not code:
        return None
    row = world.accounts.find(code, call.at)
    crypto, _, address = code.rpartition("-")
    for each in world.accounts.rows(None, None, call.at) if row is None and crypto_index(crypto) is not None else ():
        record = world.accounts.record(each, call.at)
        addresses = ((record[name] or "").strip() for name in ("customerCryptoAddress", "dcReceiveAddress"))
        if record["dcCode"] == crypto and address in addresses:
            return each
    if row is None:
        raise not_found("Account", code)
    return row


def refuse_low_balance(world: World, call: ApiCall, wanted: TradeFacts) -> None:
    """Refuse to take more from a customer than there is."""
    if wanted.customer is None:
        return
    available = world.balances.available(wanted.customer, wanted.crypto, call.at)
    if Decimal(wanted.units).scaleb(-money.UNITS) > available:
        refusal = checks.refuse("LowBalance", f"Only {available:f} is available")
        refusal.values = {"limitReasons": ["LowBalance"]}
        raise refusal


def described(body: Body, method: str | None, address: str | None = None) -> Record:
    """What a call gives besides, for the ``extra`` of its trade: a payment method, and the address that crypto is sent to."""
    given = {name: body.get(name.lower()) for name in _GIVEN}
    return {**given, "paymentMethodCode": method, "destinationCryptoAddress": address}


def write(world: World, call: ApiCall, trade: TradeFacts, *, staged: bool = False) -> None:
    """Write a trade; it is given an account of its crypto, a new one if the customer has none."""
    if trade.account is None and trade.customer is not None:
        trade.account = _account(world, call, trade)
    world.write_trade(trade)
    if staged:
        world.trades.pin(trade.row, call.at, progress.STAGED)


def _account(world: World, call: ApiCall, trade: TradeFacts) -> int:
    kind = "Broker" if trade.is_broker else "Custodian"
    customer = trade.customer or 0
    for row in world.accounts.of_customer(customer, call.at):
        alive = world.accounts.status(row, call.at) not in ("DELETED", "INVALID")
        if alive and world.accounts.kind(row) == kind and world.accounts.crypto(row) == trade.crypto:
            return row
    return register(world, customer, kind, trade.crypto, call.at, trade.extra.get("destinationCryptoAddress"))


def shown(world: World, call: ApiCall, trade: TradeFacts) -> Record:
    """A trade as it is answered to the call that made it."""
    record = world.answered(call, "transactions", world.transactions.shown(trade, call.at))
    if trade.kind in ("BUY", "BROKERBUY") and world.settings.casp:
        record["fiatAmountToPay"] = money.fiat(trade.cents)
        record["baseFiatAmountToPay"] = money.fiat(trade.cents * 1_000_000 // trade.currency.rate)
    return record
