"""Trades made over the API: who trades what, at which price, and what comes back; with the calls of the CASP generation.

See docs/api_facts.rst, Trading calls and Custodian lifecycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, not_found, success
from airflow_provider_nexus.sandbox.chance import dealer
from airflow_provider_nexus.sandbox.data import progress
from airflow_provider_nexus.sandbox.data.customers import address_of
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, Currency, crypto_index
from airflow_provider_nexus.sandbox.data.trades import OUTGOING, TradeFacts
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.stamps import MINUTE, SECOND
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks
from airflow_provider_nexus.sandbox.writes.customers import register

_BANDS = {"BUY": (95, 110), "BROKERBUY": (95, 110), "SELL": (90, 105), "BROKERSELL": (90, 105)}
"""Percent of Nexus' price between which a requested price is accepted."""
_GIVEN = ("paymentReference", "callbackUrl", "blockchainMessage", "data")
_SETTLES, _SETTLES_AT_ONCE = 5 * MINUTE, 10 * SECOND
NOBODY = -1
"""The row of a trade that is only simulated."""
_SELLS = ("SELL", "BROKERSELL")
_SINGLE = {
    "/buy/custodian": "BUY",
    "/sell/custodian": "SELL",
    "/gift/custodian": "GIFT",
    "/clawback/custodian": "CLAWBACK",
    "/brokerbuy": "BROKERBUY",
    "/paymentrequest/brokersell": "BROKERSELL",
    "/paymentrequest/custodian": "RECEIVEIN",
    "/sendout/custodian": "SENDOUT",
    "/sendtobucket/custodian": "SENDTOBUCKET",
}
"""Trading calls that make one transaction, and its type."""
_SOURCED = ("SENDOUT", "SENDTOBUCKET")
"""Types whose customer and amount are in an object ``source``."""
_NOT_SIMULATED = ("/clawback/custodian", "/sendtobucket/custodian")


def asked(world: World, call: ApiCall, kind: str, body: checks.Body, customer: int | None) -> TradeFacts:
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
    course = progress.Course(_SETTLES_AT_ONCE if kind in progress.INSTANT else _SETTLES, progress.COMPLETED)
    dealt = dealer(world.settings.seed, "written")(len(world.trades.written))
    return TradeFacts(NOBODY, call.at, kind, customer, account, crypto, currency, cents, units, price, money.PLAIN, course, dealt)


def _price(world: World, call: ApiCall, kind: str, crypto: int, currency: Currency, body: checks.Body) -> int:
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


def described(body: checks.Body, method: str | None, address: str | None = None) -> Record:
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


def _method(world: World, body: checks.Body, call: ApiCall) -> str | None:
    return checks.payment_method(world, body, call) if body.get("paymentmethodcode") else None


def _single(kind: str, simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    wanted = body["source"] if kind in _SOURCED else body
    named = checks.text(wanted, "customerCode")
    customer = None if named is None and kind == "RECEIVEIN" else checks.active_customer(world, named, call)
    made = asked(world, call, kind, wanted, customer)
    if kind in OUTGOING:
        refuse_low_balance(world, call, made)
    address = checks.text(body, "destinationAddress") or checks.text(body.get("destination") or {}, "address")
    made.extra = described(body, _method(world, body, call), address)
    if not simulated:
        write(world, call, made, staged=bool(body.get("stage")))
    values: Record = {"transaction": shown(world, call, made)}
    if kind == "RECEIVEIN":
        address = checks.text(body, "receiveAddress") or address_of(made.dealt[0])
        values["paymentUri"] = f"{CRYPTOS[made.crypto].name.lower().replace(' ', '')}:{address}"
    return success(values)


def _send_internal(simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    source, destination = body["source"], body["destination"]
    giver = checks.active_customer(world, checks.text(source, "customerCode"), call)
    taker = checks.active_customer(world, checks.text(destination, "customerCode"), call)
    sent = asked(world, call, "SENDINTERNAL", source, giver)
    refuse_low_balance(world, call, sent)
    account = find_account(world, call, checks.text(destination, "accountCode"))
    return _both(simulated, world, call, body, sent, replace(sent, customer=taker, account=account))


def _swap(simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = {name: value for name, value in call.json().items() if name != "data"}  # the only trade that takes none
    customer = checks.active_customer(world, checks.text(body, "customerCode"), call)
    currency = world.customers.currency(customer)
    source = {**body["source"], "currencycode": currency.code}
    given = asked(world, call, "SWAP", source, customer)
    refuse_low_balance(world, call, given)
    crypto = checks.crypto(body["destination"])
    price = world.market.price(crypto, currency, call.at)
    taken = replace(given, account=None, crypto=crypto, units=money.units_for(given.cents, price), price=price)
    return _both(simulated, world, call, body, given, taken)


def _both(simulated: bool, world: World, call: ApiCall, body: checks.Body, given: TradeFacts, taken: TradeFacts) -> ApiAnswer:
    method = _method(world, body, call)
    for end, direction in ((given, "SOURCE"), (taken, "DESTINATION")):
        end.direction, end.extra = direction, described(body, method)
    if not simulated:
        write(world, call, given)
        write(world, call, taken)
        given.twin, taken.twin = taken.row, given.row
    return success({"sourceTransaction": shown(world, call, given), "destinationTransaction": shown(world, call, taken)})


def _trade(world: World, call: ApiCall) -> TradeFacts:
    return world.trades.get(world.found("transactions", call.parts["code"], call.at))


def _cancel(world: World, call: ApiCall) -> ApiAnswer:
    """Both ends of a swap or send are cancelled."""
    found = _trade(world, call)
    if world.trades.phase(found, call.at) in progress.ENDED:
        raise checks.refuse(
            "InvalidTransactionStatus", f"A transaction that is {world.trades.status(found, call.at)} can't be cancelled"
        )
    for row in (found.row, found.twin):
        if row is not None:
            world.trades.pin(row, call.at, progress.FAILED)
    return success({"transaction": world.answered_row(call, "transactions", found.row)})


def _pay_out(phase: int, world: World, call: ApiCall) -> ApiAnswer:
    found, body = _trade(world, call), call.json()
    if found.kind not in _SELLS or world.trades.status(found, call.at) not in ("ToPayout", "PayoutConfirming"):
        raise checks.refuse("InvalidTransactionStatus", f"The transaction is {world.trades.status(found, call.at)}")
    if body.get("paymentreference"):
        world.transactions.patch(found.row, paymentReference=checks.text(body, "paymentReference"))
    world.trades.pin(found.row, call.at, phase)
    return success({"transaction": world.answered_row(call, "transactions", found.row)})


def _twins(path: str, handler: Callable[[bool, World, ApiCall], ApiAnswer]) -> Iterator[Route]:
    """A trading call, and its twin that changes nothing if it has one."""
    yield Route("POST", path, partial(handler, False), "B", writes=True)
    if path not in _NOT_SIMULATED:
        yield Route("POST", f"{path}/simulate", partial(handler, True), "B", writes=True)


_TRANSACTION = "/transactions/custodian/{code}"
ROUTES = (
    *(route for path, kind in _SINGLE.items() for route in _twins(path, partial(_single, kind))),
    *_twins("/sendinternal/custodian", _send_internal),
    *_twins("/swap/custodian", _swap),
    Route("POST", f"{_TRANSACTION}/cancel", _cancel, writes=True),
    Route("PUT", f"{_TRANSACTION}/payoutconfirming", partial(_pay_out, progress.THIRD), "B", writes=True),
    Route("PUT", f"{_TRANSACTION}/payout", partial(_pay_out, progress.DONE), "B", writes=True),
)
"""Trading of the CASP generation."""
