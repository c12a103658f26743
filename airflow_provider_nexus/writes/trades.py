"""The trading calls: what each needs, where its reference goes, and what it answers. See docs/api_facts.rst, Trading calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.writes.amounts import exact


@dataclass(frozen=True)
class Trade:
    """One trading call.

    :param type: type of the transactions that it makes
    :param needs: names that the body must have, dotted where they lie deeper; of names joined by a bar one is enough
    :param answer: member of the answer that is the transaction; empty where the answer is
    :param has_payment_reference: whether the body has a ``paymentReference``
    :param has_data: whether the body has documented ``data``
    :param simulates: whether it has a twin that changes nothing
    :param resource: where its transactions are read
    """

    path: str
    type: str
    needs: str
    answer: str = "transaction"
    has_payment_reference: bool = False
    has_data: bool = True
    simulates: bool = True
    resource: str = "transactions"

    @property
    def is_searchable(self) -> bool:
        """Whether its transactions are found by a reference of the user's, as far as the API's documents go."""
        return not self.is_classic

    @property
    def is_classic(self) -> bool:
        """Whether it is of the classic generation, whose transactions have no field to find them by."""
        return self.resource == "broker_transactions"


def _custodian(name: str, needs: str, **more: Any) -> Trade:
    return Trade(f"/{name}/custodian", name.upper(), needs, **more)


_classic = partial(Trade, answer="", resource="broker_transactions")
_BUY = "customerCode cryptoCode currencyCode fiatValue paymentMethodCode"
_FROM = "paymentMethodCode source.customerCode source.cryptoCode source.currencyCode source.cryptoAmount"
TRADES: Mapping[str, Trade] = MappingProxyType(
    {
        "buy": _custodian("buy", _BUY, has_payment_reference=True),
        "sell": _custodian("sell", "customerCode cryptoCode cryptoAmount currencyCode paymentMethodCode"),
        "gift": _custodian("gift", _BUY),
        "clawback": _custodian("clawback", "customerCode currencyCode cryptoCode cryptoAmount", simulates=False),
        "send_out": _custodian("sendout", f"{_FROM} destination.address"),
        "send_internal": _custodian("sendinternal", f"{_FROM} destination.customerCode", answer="sourceTransaction"),
        "send_to_bucket": _custodian("sendtobucket", f"{_FROM} destination.bucketCode|destination.accountCode", simulates=False),
        "swap": _custodian(
            "swap",
            "paymentMethodCode customerCode source.cryptoCode source.cryptoAmount destination.cryptoCode",
            answer="sourceTransaction",
            has_payment_reference=True,
            has_data=False,
        ),
        "broker_buy": Trade("/brokerbuy", "BROKERBUY", _BUY, has_payment_reference=True),
        "broker_sell": Trade(
            "/paymentrequest/brokersell",
            "BROKERSELL",
            "customerCode cryptoCode currencyCode fiatValue|cryptoAmount paymentMethodCode",
            has_payment_reference=True,
        ),
        "classic_buy": _classic("/buy/broker", "BUY", "paymentMethodCode accountCode amount currency"),
        "classic_sell": _classic("/sell/broker", "SELL", "accountCode paymentMethodCode cryptoAmount"),
    }
)
"""Trading calls by the name that the operator has for them."""


def get_trade(kind: str, *, simulate: bool = False) -> Trade:
    """One trading call.

    :param simulate: whether its twin that changes nothing is wanted
    :raises NexusConfigurationError: when there is none of that name, or it has no such twin
    """
    if kind not in TRADES:
        raise NexusConfigurationError(f"unknown kind of transaction {kind!r}: {did_you_mean(kind, TRADES)}")
    if simulate and not TRADES[kind].simulates:
        raise NexusConfigurationError(f"Nexus offers no simulation of {kind!r}: leave simulate out")
    return TRADES[kind]


def trade_body(trade: Trade, values: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a call, its amounts exact.

    :raises NexusConfigurationError: when something is missing, or an amount is none
    """
    body = exact(values)
    missing = [name for name in trade.needs.split() if not any(at(body, each) not in (None, "") for each in name.split("|"))]
    if missing:
        wanted = ", ".join(name.replace("|", " or ") for name in missing)
        raise NexusConfigurationError(f"values of a {trade.type} transaction lack {wanted}: nothing was sent")
    return body


def refer(trade: Trade, body: Mapping[str, Any], reference: str) -> tuple[dict[str, Any], str]:
    """The body with a reference in it, and the field of the record that carries it; no field where there is none.

    :raises NexusConfigurationError: when the place is taken
    """
    if trade.is_classic:
        return dict(body), ""
    if trade.has_payment_reference and at(body, "paymentReference") in (None, "", reference):
        free = {name: value for name, value in body.items() if name.casefold() != "paymentreference"}
        return {**free, "paymentReference": reference}, "paymentReference"
    if not trade.has_data:
        raise NexusConfigurationError(
            f"values['paymentReference'] of a {trade.type} transaction is where the task puts its own reference: give yours as "
            "reference="
        )
    return with_data_reference(body, reference), "data.reference"


def with_data_reference(body: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """A body whose ``data`` carries a reference.

    :raises NexusConfigurationError: when the user's data has another one
    """
    data = at(body, "data") or {}
    if not isinstance(data, Mapping) or at(data, "reference") not in (None, reference):
        raise NexusConfigurationError("data['reference'] is where the task puts its own reference: give yours as reference=")
    data = {name: value for name, value in data.items() if name.casefold() != "reference"}
    rest = {name: value for name, value in body.items() if name.casefold() != "data"}
    return {**rest, "data": {**data, "reference": reference}}


def asked(trade: Trade, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the transaction that a call makes should have: place in the record -> value. Of a pair, the one that gives."""
    given = {**body, **(body.get("source") or {})}
    return {
        "type": trade.type,
        **{name: given.get(name) for name in ("customerCode", "cryptoCode", "currencyCode", "paymentMethodCode")},
        "destinationCryptoAddress": at(body, "destination.address") or body.get("destinationAddress"),
        **{f"requestedAmounts.{name}": given.get(name) for name in ("fiatValue", "cryptoAmount")},
    }
