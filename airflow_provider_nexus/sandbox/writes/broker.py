"""Broker trading of the classic generation. See docs/api_facts.rst, Classic trading answers."""

from __future__ import annotations

from functools import partial

from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, success
from airflow_provider_nexus.sandbox.data.customers import address_of
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.data.trades import TradeFacts
from airflow_provider_nexus.sandbox.data.transactions import fees
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.rows import Record
from airflow_provider_nexus.sandbox.world import World
from airflow_provider_nexus.sandbox.writes import checks, trade

_FIXED_MINUTES = 15


def _ordered(world: World, call: ApiCall, kind: str, body: checks.Body) -> TradeFacts:
    account = trade.find_account(world, call, checks.text(body, "accountCode"))
    if account is None or world.accounts.status(account, call.at) != "ACTIVE":
        raise checks.refuse("InvalidAccountStatus", "The account is not active")
    customer = checks.active_customer(world, world.customers.code(world.accounts.owner(account)), call)
    asked = {
        "cryptocode": CRYPTOS[world.accounts.crypto(account)].code,
        "currencycode": body.get("currency") or world.customers.currency(customer).code,
        "fiatvalue": body.get("amount"),
        "cryptoamount": body.get("cryptoamount"),
        "accountcode": body.get("accountcode"),
    }
    method = checks.payment_method(world, body, call)
    made = trade.asked(world, call, kind, asked, customer)
    made.extra = trade.described(body, method)
    return made


def _fees(made: TradeFacts) -> tuple[Record, int]:
    """The fees as they are called here, and their sum in cents."""
    charged = fees(made, executed=False)
    names = {"networkFee": "networkFeeFiat", "serviceFee": "partnerFeeFiat", "bankFee": "bankFeeFiat"}
    taken = {name: charged[source] for name, source in names.items()}
    return taken, int(sum(money.decimal(fee) for fee in taken.values()) * 10**money.CENTS)


def _buy(simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    made = _ordered(world, call, "BROKERBUY", body)
    taken, total = _fees(made)
    if simulated:
        return success(_buy_simulation(made, taken, total))
    trade.write(world, call, made)
    method = str(made.extra["paymentMethodCode"])
    info = {"transactionFixedInMinutes": _FIXED_MINUTES, "paymentMethodCode": method, "paymentMethodName": method.title()}
    return success(
        {
            "transactionCode": made.code,
            "created": call.form("broker_transactions")(made.created),
            "paymentMethodInfo": info,
            "accountCode": made.account_code,
            "customerCode": world.customers.code(made.customer or 0),
            **taken,
            "comment": None,
            "status": world.trades.broker_status(made, call.at),
            "blockchainMessage": made.extra["blockchainMessage"],
        }
    )


def _buy_simulation(made: TradeFacts, taken: Record, total: int) -> Record:
    return {
        "cryptoBuyPriceBeforeFee": money.price(made.price),
        "cryptoBuyPriceAfterServiceFee": money.price(made.price * 101 // 100),
        "cryptoAmount": money.crypto(made.units),
        "currencyBankFee": taken["bankFee"],
        "currencyServiceFee": taken["serviceFee"],
        "currencyNetworkFee": taken["networkFee"],
        "totalCurrency": money.fiat(made.cents),
        "totalCurrencyToPay": money.fiat(made.cents + total),
        "currencyCode": made.currency.code,
        "cryptoCode": made.crypto_code,
    }


def _sell(simulated: bool, world: World, call: ApiCall) -> ApiAnswer:
    body = call.json()
    made = _ordered(world, call, "BROKERSELL", body)
    taken, total = _fees(made)
    values = {
        "valueInFiatBeforeFees": money.fiat(made.cents),
        "valueInFiatAfterFees": money.fiat(made.cents - total),
        **taken,
    }
    if simulated:
        return success(values)
    trade.write(world, call, made)
    return success(
        {
            "accountCode": made.account_code,
            "transactionCode": made.code,
            "customerCode": world.customers.code(made.customer or 0),
            "cryptoAddress": f"{address_of(made.dealt[0])}  ",
            "currencyCode": made.currency.code,
            **values,
        }
    )


ROUTES = tuple(
    Route("POST", path + ending, partial(handler, bool(ending)), "A", writes=True)
    for path, handler in (("/buy/broker", _buy), ("/sell/broker", _sell))
    for ending in ("", "/simulate")
)
"""Broker trading of the classic generation."""
