"""Customers, made all over the span, evenly; the first one at its start, so that every transaction has one. And accounts.

Every seeded customer has four, made with the customer: two in custody, one for broker trades, one to spare.
"""

from __future__ import annotations

import re

from airflow_provider_nexus.api.schemas.customers import CUSTOMER
from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.chance import dealer, salt_of, scatter
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.market import CRYPTOS, CURRENCIES, Currency, currency_of
from airflow_provider_nexus.sandbox.rows import Record, Timed
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, Stamp, naive
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline

_STYLES = ("C{:07d}", "NL20NEXS{:010d}", "cust_{:05d}", "WEB-SHOP-{:06d}", "Klant{:d}")
_RISKS = ("None", "Low", "Low", "Medium", "High", "VeryHigh")
EACH = 4
_SPARE_PLACE = 3
"""The place of an account without trades, of any status."""
_SPARE = ("ACTIVE", "ACTIVE", "VALID", "NEW", "INVALID", "DELETED")
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
BROKER_PLACE = 2
"""The place of a customer's broker account among its four."""


def code_of(row: int) -> str:
    """The code of a seeded customer; one in five looks like an IBAN."""
    return _STYLES[row % 5].format(row)


def iban_of(row: int, place: int = 0) -> str:
    """The number of a seeded bank account."""
    return f"NL{(row * 7 + place) % 90 + 10}INGB{row * 2 + place:010d}"


class Customers(Timed):
    """The rows of ``customers``."""

    def __init__(self, seed: int, timeline: Timeline, presence: Presence) -> None:
        super().__init__(timeline, presence)
        self._deal = dealer(seed, "customer")
        self._codes: dict[str, int] = {}
        self.quick = {"status": self.status, "customerCode": lambda row, at: self.code(row)}  # noqa: ARG005

    def code(self, row: int) -> str:
        """The row's customer code."""
        return code_of(row) if row < codes.WRITTEN else str(self.patches[row]["customerCode"])

    def is_business(self, row: int) -> bool:
        """Whether the customer is a business."""
        return row % 4 == 3 if row < codes.WRITTEN else bool(self.patches[row]["isBusiness"])

    def currency(self, row: int) -> Currency:
        """The customer's currency; mostly euro."""
        if row >= codes.WRITTEN:
            return currency_of(self.patches[row]["currencyCode"]) or CURRENCIES[0]
        return CURRENCIES[(0, 0, 0, 0, 0, 0, 0, 1, 2, 3)[row * 7 // 3 % 10]]

    def status(self, row: int, at: int) -> str:
        """The status in upper case, as seen on the wire: new for an hour, then mostly active."""
        if "status" in self.patches.get(row, {}):
            return str(self.patches[row]["status"])
        if row and at - self.stamp(row) < HOUR:
            return "NEW"
        pick = self._deal(row)[0] % 100 if row else 99
        return "BLOCKED" if pick < 3 else "UNDERREVIEW" if pick < 5 else "DELETED" if pick < 7 else "ACTIVE"

    def register(self, stamp: int, values: Record) -> int:
        """A customer made over the API."""
        row = super().register(stamp, values)
        self._codes[values["customerCode"].casefold()] = row
        return row

    def find(self, code: str, at: int) -> int | None:
        """The row of a customer code."""
        row = self._codes.get(code.casefold())
        if row is None:
            digits = re.search(r"\d{1,10}$", code)
            row = int(digits[0]) if digits else None
            if row is None or code_of(row) != code:
                return None
        return row if self.is_seen(row, at) else None

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        record = blank_customer() | {"data": None, "created": Stamp(self.stamp(row))}
        return self.patched(row, record | (self._seeded(row, at) if row < codes.WRITTEN else {}))

    def _seeded(self, row: int, at: int) -> Record:
        dealt, code, business = self._deal(row), code_of(row), self.is_business(row)
        first, last = words.FIRST_NAMES[dealt[1] % 12], words.LAST_NAMES[dealt[2] % 12]
        risk, company = _RISKS[dealt[5] % 6], words.COMPANIES[dealt[6] % 5] if business else None
        since = self.stamp(row)
        review = since + dealt[14] % 20 * DAY
        return {
            "customerCode": code,
            "email": f"{code.lower()}@example.org" if dealt[3] % 10 else None,
            "countryCode": words.COUNTRIES[row % 5][0],
            "currencyCode": self.currency(row).code,
            "status": self.status(row, at),
            "trustlevel": words.TRUST_LEVELS[3 if business else dealt[4] % 3],
            "portFolioCode": words.PORTFOLIOS[2 if business else row % 2][0],
            "isBusiness": business,
            "bankAccount": iban_of(row),
            "bankAccountName": company or f"{last} ",
            "identifiedBankAccountName": company,
            "name": f"{first} {last}",
            "firstName": first,
            "lastName": last,
            "companyName": company,
            "isHighRisk": risk in ("High", "VeryHigh"),
            "riskQualification": risk,
            "hasPhotoId": dealt[7] % 3 > 0,
            "comment": "" if dealt[8] % 3 else "called on \t monday\nasked for a refund",
            "dateOfBirth": None if business else naive(dealt[9] % 18_000 * DAY)[:10],
            "phone": f"+31 6 {dealt[10] % 10**8:08d}" if dealt[10] % 4 else None,
            "address": f"{words.STREETS[dealt[11] % 5]} {dealt[11] % 300 + 1}  ",
            "city": words.CITIES[row % 5],
            "zipCode": f"{1000 + dealt[12] % 9000} {'AB' if row % 2 else 'ZX'}",
            "tag": "vip" if dealt[13] % 20 == 0 else None,
            "externalCustomerCode": str(10_000_000 + row) if row % 3 else None,
            "data": {"source": "sandbox", "score": str(row % 100)},
            "firstTransaction": Stamp(since + HOUR) if at > since + HOUR and row % 6 else None,
            "latestTransaction": Stamp(since + 2 * HOUR) if at > since + 2 * HOUR and row % 6 else None,
            "latestReview": Stamp(review) if at > review and dealt[14] % 2 else None,
            "isReviewRecommended": dealt[15] % 10 == 0,
            "latestComplianceHistoryReason": "periodic review" if dealt[15] % 3 == 0 else None,
        }


def blank_customer() -> Record:
    """A customer of whom nothing is known but the defaults of the API."""
    return {field.name: False if field.kind == "flag" else None for field in CUSTOMER.fields if field.name != "data"}


def crypto_of(customer: int, place: int) -> int:
    """The crypto of a seeded account, so that customers ten rows apart have the same."""
    return (customer + 3 * place) % len(CRYPTOS)


class Accounts(Timed):
    """The rows of ``accounts``."""

    def __init__(self, seed: int, customers: Customers, timeline: Timeline, presence: Presence) -> None:
        super().__init__(timeline, presence)
        self._customers = customers
        self._salt = salt_of(seed, "account")
        self._owners: dict[int, list[int]] = {}
        self.quick = {
            "accountStatus": self.status,
            "customerCode": lambda row, at: customers.code(self.owner(row)),  # noqa: ARG005
        }

    def owner(self, row: int) -> int:
        """The customer's row."""
        return row // EACH if row < codes.WRITTEN else int(self.patches[row]["_customer"])

    def crypto(self, row: int) -> int:
        """The crypto's place in the list."""
        return crypto_of(row // EACH, row % EACH) if row < codes.WRITTEN else int(self.patches[row]["_crypto"])

    def kind(self, row: int) -> str:
        """Custodian or Broker."""
        if row >= codes.WRITTEN:
            return str(self.patches[row]["accountType"])
        return "Broker" if row % EACH >= BROKER_PLACE else "Custodian"

    def of_customer(self, customer: int, at: int) -> list[int]:
        """The rows of a customer's accounts."""
        seeded = range(customer * EACH, customer * EACH + EACH) if customer < codes.WRITTEN else ()
        return [row for row in (*seeded, *self._owners.get(customer, ())) if self.is_seen(row, at)]

    def status(self, row: int, at: int) -> str:
        """The status in upper case, as seen on the wire."""
        if "accountStatus" in self.patches.get(row, {}):
            return str(self.patches[row]["accountStatus"])
        if self._customers.status(row // EACH, at) == "DELETED":
            return "DELETED"
        age = at - self.stamp(row)
        if row >= EACH and age < HOUR // 2:
            return "NEW" if age < HOUR // 4 else "VALID"
        return _SPARE[scatter(self._salt, row) % len(_SPARE)] if row % EACH == _SPARE_PLACE else "ACTIVE"

    def register(self, stamp: int, values: Record) -> int:
        """An account made over the API, with the row of its customer as ``_customer``."""
        row = super().register(stamp, values)
        self._owners.setdefault(values["_customer"], []).append(row)
        return row

    def find(self, code: str, at: int) -> int | None:
        """The row of an account code."""
        row = codes.account_row(code)
        return row if row is not None and codes.account(row) == code and self.is_seen(row, at) else None

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        bits, status, stamp = scatter(self._salt, row), self.status(row, at), self.stamp(row)
        custody, is_activated = self.kind(row) == "Custodian", status == "ACTIVE" and EACH <= row < codes.WRITTEN
        record = {
            "guid": codes.guid(row, self._salt),
            "accountCode": codes.account(row),
            "customerCode": self._customers.code(self.owner(row)),
            "created": Stamp(stamp),
            "activated": Stamp(stamp + HOUR // 2) if is_activated else None,
            "dcReceiveAddress": f"{address_of(bits)} " if custody or bits % 3 else None,
            "customerCryptoAddress": None if custody else address_of(bits * 31 + 7),
            "dcCode": CRYPTOS[self.crypto(row)].code,
            "accountStatus": status,
            "accountType": self.kind(row),
            "bucketCode": f"BUCKET{row % 300:04d}" if row % 9 == 0 else None,
            "provider": {"type": "CustodianOmnibus" if custody else "SelfHosted", "name": "Nexus" if custody else None},
        }
        return self.patched(row, record)


def address_of(bits: int) -> str:
    """An address on a chain."""
    bits = (bits + 1) * _SPREAD >> 8
    return f"0x{bits % (1 << 160):040x}" if bits % 2 else f"bc1q{bits % (1 << 120):030x}"
