"""The registers of the tenant: countries, cryptos, addresses, banks, templates, documents, interest, sanction lists, fees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from airflow_provider_nexus.sandbox import codes, money
from airflow_provider_nexus.sandbox.call import Call, Refusal
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Entry, Listed, Record
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.configuration import plain
from airflow_provider_nexus.sandbox.data.trades import UNITS
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, Form

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


_FLOWS = ("MultiAddressFlow", "SingleAddressUsingMemoFlow", "MultiAddressWithForwardingToMainAddressFlow")
_WITH_MEMO = ("XRP", "XLM")
_SINKS = (("Exchange", words.EXCHANGES[1]), ("Coldstore", None), ("HotWallet", None), ("Other", None))
_ADDRESS_STATUSES = (["Active", "Whitelisted"], ["Active"], ["Inactive", "NotValidated"], ["Deleted"], ["ToBeDeleted"])
_UPLOADS = 4
_INTERVALS, _SUB_INTERVALS = 3, 4
_LONGEST_FEES = 60


class Registers:
    """Makes the registers.

    :param world: what they belong to
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._salt = salt_of(world.settings.seed, "registers")

    def lists(self) -> dict[str, Listed]:
        """Those that are lists, by the resource's name."""
        return {
            "countries": Listed([_country(code, name) for code, name in words.ALL_COUNTRIES]),
            "cryptocurrencies": Listed([self._crypto(place) for place in range(len(words.CRYPTOS))]),
            "crypto_addresses": Listed([self._address(place) for place in range(len(words.CRYPTOS) * len(_SINKS))]),
            "banks": Listed([_bank(self._guid("bank", place), bank) for place, bank in enumerate(words.BANKS)]),
            "data_templates": Listed([plain(each["code"], each) for each in _TEMPLATES]),
            "document_types": Listed([self._document_type(place) for place in range(len(words.DOCUMENT_TYPES))]),
            "interest_schedules": Listed([self._schedule(place) for place in range(2)]),
            "sanction_lists": Listed([plain(code, {"code": code, "name": name}) for code, name in words.SANCTION_LISTS]),
        }

    def snapshots(self) -> dict[str, Callable[[Call], Any]]:
        """Those that are made for a call."""
        return {"document_store": self._document_store, "sanction_list_uploads": self._uploads}

    def _crypto(self, place: int) -> Entry:
        kind = words.CRYPTOS[place]
        chain = "Ethereum" if kind.code in ("LINK", "USDT-ERC20") else kind.name
        explorer = f"https://explorer.example.org/{chain.lower().replace(' ', '-')}"
        record: Record = {
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
                "sell": {"minimalAmount": money.number(10 ** (place % 5), UNITS, money.TINY)},
                "buy": {"minimalValue": Raw(b"25.00") if place % 3 else None},
            },
        }
        return plain(kind.code, record)

    def _address(self, place: int) -> Entry:
        kind, bits = words.CRYPTOS[place // len(_SINKS)], scatter(self._salt, place)
        sink, exchange = _SINKS[place % len(_SINKS)]
        source, other = _SINKS[(place + 1) % len(_SINKS)]
        stamp = self._world.start - (place + 1) * 7 * HOUR

        def make(at: int, form: Form) -> Record:  # noqa: ARG001
            return {
                "cryptoCode": kind.code,
                "address": f"{kind.code.lower()[:3]}{bits:016x}",
                "addressReference": str(bits % 10**9) if kind.code in _WITH_MEMO else None,
                "exchangeWalletCode": f"{kind.code}-MAIN" if exchange else None,
                "status": list(_ADDRESS_STATUSES[bits % 5]),
                "sink": {
                    "sinkType": sink,
                    "sinkTradeExchangeCode": exchange[0] if exchange else None,
                    "sinkTradeExchangeName": exchange[1] if exchange else None,
                },
                "source": {
                    "sourceType": source,
                    "sourceTradeExchangeCode": other[0] if other else None,
                    "sourceTradeExchangeName": other[1] if other else None,
                },
                "comment": "" if bits % 2 else "ledger 2, in the safe",
                "created": form(stamp),
                "createdBy": "operator",
            }

        return Entry(f"{kind.code}-{place}", make, stamp)

    def _document_type(self, place: int) -> Entry:
        code, name = words.DOCUMENT_TYPES[place]
        stamp = self._world.start - (place + 1) * DAY

        def make(at: int, form: Form) -> Record:  # noqa: ARG001
            return {
                "code": code,
                "name": name,
                "description": f"{name} of a customer" if place else None,
                "createdOn": form(stamp),
                "updatedOn": form(stamp + HOUR) if place else None,
            }

        return Entry(code, make, stamp)

    def _schedule(self, place: int) -> Entry:
        guid, start = self._guid("schedule", place), self._world.start - (place + 1) * 30 * DAY

        def make(at: int, form: Form) -> Record:  # noqa: ARG001
            return {
                "id": guid,
                "cryptoCode": words.CRYPTOS[place + 1].code,
                "currencyCode": words.CURRENCIES[0].code,
                "bucketCode": f"BUCKET{place:04d}" if place else None,
                "paymentMethodCode": "CUST_INTEREST",
                "defaultRate": Raw(b"0.0425"),
                "startDate": form(start),
                "payoutPeriod": {"amount": 28, "unit": "Days"},
                "subIntervalPeriod": {"amount": 7, "unit": "Days"},
                "intervals": [self._interval(place, number, start, form) for number in range(_INTERVALS)],
            }

        return Entry(guid, make)

    def _interval(self, place: int, number: int, start: int, form: Form) -> Record:
        began, length = start + number * 28 * DAY, 28 * DAY // _SUB_INTERVALS
        return {
            "id": self._guid("interval", place * _INTERVALS + number),
            "number": number + 1,
            "from": form(began),
            "to": form(began + 28 * DAY),
            "subIntervals": [
                {
                    "id": self._guid("part", (place * _INTERVALS + number) * _SUB_INTERVALS + part),
                    "number": part + 1,
                    "from": form(began + part * length),
                    "to": form(began + (part + 1) * length),
                    "adjustedRate": Raw(b"0.0425") if part % 2 else None,
                }
                for part in range(_SUB_INTERVALS)
            ],
        }

    def _guid(self, kind: str, place: int) -> str:
        return codes.guid(place, salt_of(self._salt, kind))

    def _document_store(self, call: Call) -> Record:  # noqa: ARG002
        store = self._world.cabinet.store
        if store is None:
            raise Refusal(404, "DocumentStoreNotFound", "There is no document store")
        return self._world.fitted("document_store", dict(store))

    def _uploads(self, call: Call) -> list[Record]:
        """An array, not paged; the newest upload of each list is left out where that is asked for."""
        form, newest = call.form("sanction_list_uploads"), call.query.get("excludelatest", "").lower() == "true"
        return [
            self._world.fitted("sanction_list_uploads", self._upload(code, name, age, form))
            for code, name in words.SANCTION_LISTS
            for age in range(1 if newest else 0, _UPLOADS)
        ]

    def _upload(self, code: str, name: str, age: int, form: Form) -> Record:
        made = self._world.start - age * 7 * DAY
        return {
            "code": code,
            "name": name,
            "version": f"{52 - age}.0",
            "status": "Live" if age == 0 else "Disabled" if age < _UPLOADS - 1 else "Deleted",
            "created": form(made),
            "deletedOn": form(made + DAY) if age == _UPLOADS - 1 else None,
            "userName": "operator",
            "nameCount": 12_000 - age,
            "aliasCount": 31_000 - 3 * age,
        }

    def customer_fees(self, row: int) -> Listed:
        """For some customers of every other payment method; the first has more than a page of them."""
        seeded = self._world.settings.customers
        count = 0 if row % 2 else min(seeded, _LONGEST_FEES if row == 0 else 3)
        return Listed([self._fee("customer", row, self._world.customers.code(customer)) for customer in range(count)])

    def tag_fees(self, row: int) -> Listed:
        """For some tags of some payment methods."""
        return Listed([self._fee("tag", row, tag) for tag in ("vip", "staff")[: row % 3]])

    def _fee(self, kind: str, row: int, whose: str) -> Entry:
        bits = scatter(self._salt + row, len(whose))
        name = "customerCode" if kind == "customer" else "customerTag"
        record: Record = {name: whose, "value": money.number(bits % 200, 4) if bits % 5 else Raw(b"5E-03")}
        return Entry(whose, lambda at, form: self._world.fitted(f"payment_method_{kind}_fees", dict(record)))  # noqa: ARG005


def _country(code: str, name: str) -> Entry:
    return plain(code, {"code": code, "description": name, "status": "Blocked" if code in words.BLOCKED_COUNTRIES else "None"})


def bank(world: World, wanted: words.Bank) -> Record:
    """The bank of the register with that BIC, or a new one in it."""
    held = world.collections["banks"]
    if not isinstance(held, Listed):
        raise TypeError("the register of banks is a short list")
    records = (entry.make(0, str) for entry in held.entries)
    known = next((record for record in records if wanted.bic and record["bicCode"] == wanted.bic), None)
    if known is not None:
        return known
    entry = _bank(codes.guid(WRITTEN + world.next_serial(), salt_of(world.settings.seed, "banks")), wanted)
    held.entries.append(entry)
    return entry.make(0, str)


def _bank(guid: str, bank: words.Bank) -> Entry:
    return plain(guid, {"id": guid, "name": bank.name, "country": bank.country, "bicCode": bank.bic, "city": bank.city})


_TEMPLATES: tuple[Record, ...] = (
    {"code": "source", "name": "Source", "description": "Where the customer came from", "type": "Customer", "entityType": "All"},
    {"code": "score", "name": "Score", "description": None, "type": "Customer", "entityType": "Private"},
    {"code": "chamber", "name": "Chamber of commerce", "description": "Number", "type": "Customer", "entityType": "Business"},
    {"code": "label", "name": "Label", "description": "Shown in the shop", "type": "PaymentMethod", "entityType": "All"},
)
