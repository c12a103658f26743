"""Accounts. Every seeded customer has four, made with the customer: two in custody, one for broker trades, one to spare."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.data.customers import Customers
from airflow_provider_nexus.sandbox.data.market import CRYPTOS
from airflow_provider_nexus.sandbox.rows import Record, Timed
from airflow_provider_nexus.sandbox.stamps import HOUR, Stamp
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline

EACH = 4
SPARE_PLACE = 3
"""The place of an account without trades, of any status."""
_SPARE = ("ACTIVE", "ACTIVE", "VALID", "NEW", "INVALID", "DELETED")
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
BROKER_PLACE = 2
"""The place of a customer's broker account among its four."""


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
        return row // EACH if row < WRITTEN else int(self.patches[row]["_customer"])

    def crypto(self, row: int) -> int:
        """The crypto's place in the list."""
        return crypto_of(row // EACH, row % EACH) if row < WRITTEN else int(self.patches[row]["_crypto"])

    def kind(self, row: int) -> str:
        """Custodian or Broker."""
        if row >= WRITTEN:
            return str(self.patches[row]["accountType"])
        return "Broker" if row % EACH >= BROKER_PLACE else "Custodian"

    def of_customer(self, customer: int, at: int) -> list[int]:
        """The rows of a customer's accounts."""
        seeded = range(customer * EACH, customer * EACH + EACH) if customer < WRITTEN else ()
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
        return _SPARE[scatter(self._salt, row) % len(_SPARE)] if row % EACH == SPARE_PLACE else "ACTIVE"

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
        custody, is_activated = self.kind(row) == "Custodian", status == "ACTIVE" and EACH <= row < WRITTEN
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
