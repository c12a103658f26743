"""Short lists and registers that the tenant is set up with. See docs/api_facts.rst, Partner calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Raw

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.customers import code_of
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, CURRENCIES, Market
from airflow_provider_nexus.sandbox.rows import Listed, ListedRow, Record, listed
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, Stamp

_BUCKETS = 300
_BUYS = ("IDEAL", "SEPA", "CARD")
_CUSTODIAN = ("GIFT", "SENDINTERNAL", "SENDOUT", "SENDTOBUCKET", "SWAP", "RECEIVEIN", "CLAWBACK", "INTEREST")
_FLOWS = ("MultiAddressFlow", "SingleAddressUsingMemoFlow", "MultiAddressWithForwardingToMainAddressFlow")
_WITH_MEMO = ("XRP", "XLM")
_SINKS = (("Exchange", words.EXCHANGES[1]), ("Coldstore", (None, None)), ("HotWallet", (None, None)), ("Other", (None, None)))
_ADDRESS_STATUSES = (["Active", "Whitelisted"], ["Active"], ["Inactive", "NotValidated"], ["Deleted"], ["ToBeDeleted"])
_UPLOADS = 4
_INTERVALS, _SUB_INTERVALS = 3, 4
_LONGEST_FEES = 60
_TEMPLATES: tuple[Record, ...] = (
    {"code": "source", "name": "Source", "description": "Where the customer came from", "type": "Customer", "entityType": "All"},
    {"code": "score", "name": "Score", "description": None, "type": "Customer", "entityType": "Private"},
    {"code": "chamber", "name": "Chamber of commerce", "description": "Number", "type": "Customer", "entityType": "Business"},
    {"code": "label", "name": "Label", "description": "Shown in the shop", "type": "PaymentMethod", "entityType": "All"},
)


class Banks(Listed):
    """The register of banks; each new one is made of a number that was not given before."""

    def __init__(self, seed: int, next_serial: Callable[[], int]) -> None:
        super().__init__()
        self._salt, self._next_serial = salt_of(seed, "banks"), next_serial
        salt = salt_of(salt_of(seed, "registers"), "bank")
        for place, bank in enumerate(words.BANKS):
            self._add(codes.guid(place, salt), bank)

    def known(self, wanted: words.Bank) -> Record:
        """The bank with that BIC, or a new one."""
        records = (entry.record(0) for entry in self.entries)
        known = next((record for record in records if wanted.bic and record["bicCode"] == wanted.bic), None)
        return known or self._add(codes.guid(codes.WRITTEN + self._next_serial(), self._salt), wanted)

    def _add(self, guid: str, bank: words.Bank) -> Record:
        record = {"id": guid, "name": bank.name, "country": bank.country, "bicCode": bank.bic, "city": bank.city}
        return self.append("id", record)


class Registers:
    """Makes the short lists and registers, with stamps before ``start``, where the clock starts."""

    def __init__(self, settings: SandboxSettings, start: int, market: Market) -> None:
        self._settings, self._start, self._market = settings, start, market
        self._salt = salt_of(settings.seed, "registers")

    def lists(self) -> dict[str, Listed]:
        """All but the banks, by the resource's name."""
        return {
            "payment_methods": listed("code", sorted(_payment_methods(), key=lambda record: str(record["code"]))),
            "trust_levels": listed("name", (_trust_level(place, name) for place, name in enumerate(words.TRUST_LEVELS))),
            "portfolios": listed(
                "code", ({"code": code, "name": name, "mailsEnabled": code != "PRIVATE"} for code, name in words.PORTFOLIOS)
            ),
            "buckets": Listed(self._bucket(place) for place in range(_BUCKETS)),
            "exchanges": Listed(_exchange(code, name) for code, name in words.EXCHANGES),
            "trade_pairs": Listed(self._pairs()),
            "countries": listed("code", (_country(code, name) for code, name in words.ALL_COUNTRIES)),
            "cryptocurrencies": listed("code", (_crypto(place) for place in range(len(CRYPTOS)))),
            "crypto_addresses": Listed(self._address(place) for place in range(len(CRYPTOS) * len(_SINKS))),
            "data_templates": listed("code", _TEMPLATES),
            "document_types": Listed(self._document_type(place) for place in range(len(words.DOCUMENT_TYPES))),
            "interest_schedules": listed("id", (self._schedule(place) for place in range(2))),
            "sanction_lists": listed("code", ({"code": code, "name": name} for code, name in words.SANCTION_LISTS)),
        }

    def _bucket(self, place: int) -> ListedRow:
        """One of a few hundred buckets, one made every hour until the span ends; every tenth has an owner."""
        count = self._settings.customers
        owner = code_of(place % count) if count and place % 10 == 0 else None
        return bucket(f"BUCKET{place:04d}", f"Bucket {place}", owner, self._start - (_BUCKETS - place) * HOUR)

    def _pairs(self) -> Iterator[ListedRow]:
        """Every crypto against two currencies at every exchange."""
        for exchange, name in words.EXCHANGES:
            for currency in CURRENCIES[:2]:
                for crypto, kind in enumerate(CRYPTOS):
                    works, code = crypto != 8, f"{exchange}-{kind.code}{currency.code}"
                    record: Record = {
                        "code": code,
                        "exchange": {"code": exchange, "name": name},
                        "currency": {"code": currency.code, "name": currency.name},
                        "crypto": {"code": kind.code, "name": kind.name},
                        "supports": ["Market", "Limit"] if works else [],
                        "status": {
                            "tradeable": works,
                            "enabled": True,
                            "systemEnabled": works,
                            "updated": works,
                            "exchangeSystemEnabled": True,
                            "exchangeEnabled": True,
                        },
                    }
                    bid = partial(self._market.sell, crypto, currency)
                    ask = partial(self._market.buy, crypto, currency)
                    yield ListedRow(code, partial(_priced, record, bid, ask) if works else record | {"price": _NO_PRICE})

    def _address(self, place: int) -> ListedRow:
        kind, bits = CRYPTOS[place // len(_SINKS)], scatter(self._salt, place)
        (sink, at), (source, other) = _SINKS[place % len(_SINKS)], _SINKS[(place + 1) % len(_SINKS)]
        stamp = self._start - (place + 1) * 7 * HOUR
        record: Record = {
            "cryptoCode": kind.code,
            "address": f"{kind.code.lower()[:3]}{bits:016x}",
            "addressReference": str(bits % 10**9) if kind.code in _WITH_MEMO else None,
            "exchangeWalletCode": f"{kind.code}-MAIN" if at[0] else None,
            "status": _ADDRESS_STATUSES[bits % 5],
            "sink": {"sinkType": sink, "sinkTradeExchangeCode": at[0], "sinkTradeExchangeName": at[1]},
            "source": {"sourceType": source, "sourceTradeExchangeCode": other[0], "sourceTradeExchangeName": other[1]},
            "comment": "" if bits % 2 else "ledger 2, in the safe",
            "created": Stamp(stamp),
            "createdBy": "operator",
        }
        return ListedRow(f"{kind.code}-{place}", record, stamp)

    def _document_type(self, place: int) -> ListedRow:
        code, name = words.DOCUMENT_TYPES[place]
        stamp = self._start - (place + 1) * DAY
        record: Record = {
            "code": code,
            "name": name,
            "description": f"{name} of a customer" if place else None,
            "createdOn": Stamp(stamp),
            "updatedOn": Stamp(stamp + HOUR) if place else None,
        }
        return ListedRow(code, record, stamp)

    def _schedule(self, place: int) -> Record:
        start = self._start - (place + 1) * 30 * DAY
        return {
            "id": self._guid("schedule", place),
            "cryptoCode": CRYPTOS[place + 1].code,
            "currencyCode": CURRENCIES[0].code,
            "bucketCode": f"BUCKET{place:04d}" if place else None,
            "paymentMethodCode": "CUST_INTEREST",
            "defaultRate": Raw(b"0.0425"),
            "startDate": Stamp(start),
            "payoutPeriod": {"amount": 28, "unit": "Days"},
            "subIntervalPeriod": {"amount": 7, "unit": "Days"},
            "intervals": [self._interval(place, number, start) for number in range(_INTERVALS)],
        }

    def _interval(self, place: int, number: int, start: int) -> Record:
        began, length = start + number * 28 * DAY, 28 * DAY // _SUB_INTERVALS
        serial = place * _INTERVALS + number
        parts = [
            self._span("part", serial * _SUB_INTERVALS + part, part, began + part * length, length)
            | {"adjustedRate": Raw(b"0.0425") if part % 2 else None}
            for part in range(_SUB_INTERVALS)
        ]
        return self._span("interval", serial, number, began, 28 * DAY) | {"subIntervals": parts}

    def _span(self, kind: str, serial: int, number: int, began: int, length: int) -> Record:
        return {"id": self._guid(kind, serial), "number": number + 1, "from": Stamp(began), "to": Stamp(began + length)}

    def _guid(self, kind: str, place: int) -> str:
        return codes.guid(place, salt_of(self._salt, kind))

    def uploads(self, *, without_newest: bool) -> list[Record]:
        """The uploads of sanction lists, newest first in each."""
        return [
            {
                "code": code,
                "name": name,
                "version": f"{52 - age}.0",
                "status": "Live" if age == 0 else "Disabled" if age < _UPLOADS - 1 else "Deleted",
                "created": Stamp(self._start - age * 7 * DAY),
                "deletedOn": Stamp(self._start - age * 7 * DAY + DAY) if age == _UPLOADS - 1 else None,
                "userName": "operator",
                "nameCount": 12_000 - age,
                "aliasCount": 31_000 - 3 * age,
            }
            for code, name in words.SANCTION_LISTS
            for age in range(1 if without_newest else 0, _UPLOADS)
        ]

    def customer_fees(self, method: int, at: int) -> Iterator[ListedRow]:  # noqa: ARG002
        """For some customers of every other payment method; the first has more than a page of them."""
        count = 0 if method % 2 else min(self._settings.customers, _LONGEST_FEES if method == 0 else 3)
        return (self._fee("customerCode", method, code_of(customer)) for customer in range(count))

    def tag_fees(self, method: int, at: int) -> Iterator[ListedRow]:  # noqa: ARG002
        """For some tags of some payment methods."""
        return (self._fee("customerTag", method, tag) for tag in ("vip", "staff")[: method % 3])

    def _fee(self, name: str, method: int, whose: str) -> ListedRow:
        bits = scatter(self._salt + method, len(whose))
        return ListedRow(whose, {name: whose, "value": money.number(bits % 200, 4) if bits % 5 else Raw(b"5E-03")})


def _payment_methods() -> Iterator[Record]:
    """Ways to buy and sell, and one for each kind of custodian trade; some bound to a currency or crypto."""
    for way in _BUYS:
        yield from (_method(f"BUY_{way}", way, "BUY|BROKERBUY"), _method(f"CUST_BUY_{way}", way, "BUY"))
    yield from (_method("SELL_SEPA", "SEPA", "SELL|BROKERSELL"), _method("CUST_SELL_SEPA", "SEPA", "SELL"))
    yield from (_method(f"CUST_{kind}", "INTERNAL", kind) for kind in _CUSTODIAN)
    yield from (_method(f"BUY_CARD_{each.code}", "CARD", "BUY", currencyCode=each.code) for each in CURRENCIES[1:4])
    yield from (_method(f"SELL_{each.code}", "SEPA", "SELL", cryptoCode=each.code) for each in CRYPTOS[:3])


def _method(code: str, way: str, kinds: str, **bound_to: str) -> Record:
    return {
        "code": code,
        "name": code.replace("_", " ").title(),
        "cryptoCode": None,
        "currencyCode": None,
        "fees": {"bank": {"fixed": Raw(b"0.50"), "relative": Raw(b"5E-03")}, "service": {"relative": Raw(b"0.0100")}},
        "paymentType": {"code": way, "description": None, "name": way.title()},
        "transactionType": kinds,
        **bound_to,
    }


def _trust_level(place: int, name: str) -> Record:
    """One of four, the last without an upper end."""
    scale = 10**place
    limits: Record = {
        "dailyLimit": Raw(f"{250 * scale}.00".encode()),
        "monthlyLimit": Raw(str(2_500 * scale).encode()) if place else None,
        "yearLimit": Raw(f"{25_000 * scale}.000".encode()) if place < 3 else None,
        "lifetimeLimit": None,
    }
    return {
        "name": name,
        "description": f"{name} customers" if place else None,
        "isActive": place != 0,
        "requireExecutedSellDoesNotExceedLifetimeBuy": place == 0,
        "buyLimits": limits,
        "sellLimits": limits,
        "overallLimits": {"custodianLimit": Raw(b"1E+06") if place == 3 else None},
        "flags": {"canSendOut": place > 1},
    }


def bucket(code: str, name: str, customer: str | None, stamp: int) -> ListedRow:
    """One bucket."""
    made = Stamp(stamp)
    return ListedRow(code, {"code": code, "name": name, "customerCode": customer, "created": made, "updated": made}, stamp)


def _exchange(code: str, name: str) -> ListedRow:
    def made(at: int) -> Record:
        reserved = None if code == "BITVAVO" else Stamp(at)
        return {"code": code, "name": name, "priceUpdated": Stamp(at // MINUTE * MINUTE), "reserveUpdated": reserved}

    return ListedRow(code, made)


def _country(code: str, name: str) -> Record:
    return {"code": code, "description": name, "status": "Blocked" if code in words.BLOCKED_COUNTRIES else "None"}


_NO_PRICE: Record = {"bid": None, "ask": None, "updated": None}


def _priced(record: Record, bid: Callable[[int], int], ask: Callable[[int], int], at: int) -> Record:
    price = {"bid": money.price(bid(at)), "ask": money.price(ask(at)), "updated": Stamp(at // MINUTE * MINUTE)}
    return record | {"price": price}


def _crypto(place: int) -> Record:
    kind = CRYPTOS[place]
    chain = "Ethereum" if kind.code in ("LINK", "USDT-ERC20") else kind.name
    explorer = f"https://explorer.example.org/{chain.lower().replace(' ', '-')}"
    return {
        "code": kind.code,
        "name": kind.name,
        "isActive": place != 8,
        "isEnabled": place != 7,
        "blockchain": {
            "name": chain,
            "addressExplorerURL": f"{explorer}/address/",
            "transactionExplorerURL": f"{explorer}/tx/",
        },
        "hotWalletReceiveFlow": _FLOWS[1 if kind.code in _WITH_MEMO else 2 if chain != kind.name else 0],
        "transactionLimits": {
            "sell": {"minimalAmount": money.crypto(10 ** (place % 5), money.TINY)},
            "buy": {"minimalValue": Raw(b"25.00") if place % 3 else None},
        },
    }
