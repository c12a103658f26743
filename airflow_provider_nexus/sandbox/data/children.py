"""Collections that belong to one customer or transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Raw

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Collection, Entry, Listed, Record
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.callbacks import callbacks
from airflow_provider_nexus.sandbox.data.customers import iban_of
from airflow_provider_nexus.sandbox.data.registers import bank
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, Form

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


_PERSON_TYPES: tuple[list[str], ...] = (["Director"], ["UltimateBeneficialOwner", "Director"], ["Other"], [])
_ENTITIES = ("Customer", "Account", "BrokerBuyTransaction", "CustodianBuyTransaction", None)
_MANY_TRACES, _FEW_TRACES = 40, 6


class Children:
    """Makes children's collections, and keeps those that were written to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._salt = salt_of(world.settings.seed, "children")
        self._kept: dict[tuple[str, int], Listed] = {}
        self._makers: dict[str, Callable[[int], Listed]] = {
            "customer_persons": self._persons,
            "customer_bank_accounts": self._bank_accounts,
            "customer_traces": self._traces,
            "documents": self._documents,
            "payment_method_customer_fees": lambda row: self._world.registers.customer_fees(row),
            "payment_method_tag_fees": lambda row: self._world.registers.tag_fees(row),
        }

    def openers(self) -> dict[str, Callable[[int, int], Collection]]:
        """For the world: collections by the resource's name, opened with (parent's row, moment)."""
        of_customers: dict[str, Callable[[int, int], Collection]] = {name: self._opener(name) for name in self._makers}
        return {
            **of_customers,
            "transaction_callbacks": lambda row, at: callbacks(self._world, "transaction_callbacks", row, at),
            "broker_transaction_callbacks": self._of_broker,
        }

    def _of_broker(self, row: int, at: int) -> Listed:
        trade = self._world.broker_transactions.trade(row)
        return callbacks(self._world, "broker_transaction_callbacks", trade.row, at)

    def _opener(self, name: str) -> Callable[[int, int], Collection]:
        return lambda row, at: self.open(name, row)  # noqa: ARG005

    def open(self, name: str, customer: int) -> Listed:
        """A customer's collection, as it was written to if it was."""
        kept = self._kept.get((name, customer))
        return kept if kept is not None else self._makers[name](customer)

    def keep(self, name: str, customer: int, listed: Listed) -> None:
        """Keep a collection that was written to."""
        self._kept[name, customer] = listed

    def guid(self, name: str, customer: int, place: int) -> str:
        """An id that no other child has."""
        return codes.guid(
            customer * 1000 + place if customer < WRITTEN else customer + place, salt_of(self._salt, f"{name}{customer}")
        )

    def _fitted(self, name: str, make: Callable[[int, Form], Record]) -> Callable[[int, Form], Record]:
        return lambda at, form: self._world.fitted(name, make(at, form))

    def _persons(self, customer: int) -> Listed:
        """One to three persons of a business; nobody else has any."""
        if customer >= WRITTEN or not self._world.customers.is_business(customer):
            return Listed([])
        count = 1 + scatter(self._salt, customer) % 3
        return Listed([self._person(customer, place) for place in range(count)])

    def _person(self, customer: int, place: int) -> Entry:
        bits = scatter(self._salt + 1, customer * 8 + place)
        stamp = self._world.customers.stamp(customer) + place * MINUTE
        guid = self.guid("person", customer, place)

        def make(at: int, form: Form) -> Record:
            country = words.COUNTRIES[bits % 5]
            return {
                "id": guid,
                "customerCode": self._world.customers.code(customer),
                "firstName": words.FIRST_NAMES[bits % 12] if bits % 9 else None,
                "lastName": words.LAST_NAMES[(bits >> 8) % 12],
                "types": _PERSON_TYPES[bits % 4],
                "dateOfBirth": f"19{60 + bits % 40}-0{1 + bits % 9}-1{bits % 10}" if bits % 5 else None,
                "nationality": {"code": country[0], "name": country[1]} if bits % 3 else None,
                "residenceCountry": {"code": country[0], "name": country[1]},
                "ownershipPercentage": Raw(b"0.2500") if bits % 2 else None,
                "createdOn": form(stamp),
                "createdBy": "api",
                "updatedOn": form(min(at, stamp + HOUR)) if bits % 2 else None,
                "updatedBy": "operator" if bits % 2 else None,
            }

        return Entry(guid, self._fitted("customer_persons", make), stamp)

    def _bank_accounts(self, customer: int) -> Listed:
        """One or two; the first is the primary one."""
        count = 0 if customer >= WRITTEN else 1 + customer % 2
        return Listed([self._bank_account(customer, place) for place in range(count)])

    def _bank_account(self, customer: int, place: int) -> Entry:
        customers = self._world.customers
        stamp, guid = customers.stamp(customer), self.guid("bank", customer, place)

        def make(at: int, form: Form) -> Record:
            return {
                "id": guid,
                "number": iban_of(customer, place),
                "name": words.LAST_NAMES[customer % 12] if place else None,
                "customerCode": customers.code(customer),
                "currencyCode": customers.currency(customer).code,
                "bank": bank(self._world, words.BANKS[customer % 3]),
                "isPrimary": place == 0,
                "created": form(stamp),
                "createdBy": "api",
                "updated": form(min(at, stamp + DAY)),
                "updatedBy": None if place else "operator",
            }

        return Entry(guid, self._fitted("customer_bank_accounts", make), stamp)

    def _traces(self, customer: int) -> Listed:
        """A few; every seventeenth customer has many, but no more than one page holds."""
        bits = scatter(self._salt + 2, customer)
        count = _MANY_TRACES if customer % 17 == 0 else bits % _FEW_TRACES
        return Listed([self._trace(customer, place) for place in range(count)])

    def _trace(self, customer: int, place: int) -> Entry:
        bits = scatter(self._salt + 3, customer * 1024 + place)
        stamp = self._world.customers.stamp(customer) + place * 7 * MINUTE + bits % MINUTE
        country = words.COUNTRIES[bits % 5]

        def make(at: int, form: Form) -> Record:  # noqa: ARG001
            return {
                "ip": f"192.0.2.{bits % 250}" if bits % 4 else f"2001:db8::{bits % 65536:x}",
                "created": form(stamp),
                "action": ("Created", "Viewed", "Simulated")[bits % 3],
                "entityType": _ENTITIES[bits % 5],
                "geoLocation": {"countryCode": country[0], "countryName": country[1], "isp": words.PROVIDERS[bits % 5]}
                if bits % 7
                else None,
            }

        return Entry("", self._fitted("customer_traces", make), stamp)

    def _documents(self, customer: int) -> Listed:
        """None to two."""
        count = 0 if customer >= WRITTEN else scatter(self._salt + 4, customer) % 3
        return Listed([self._document(customer, place) for place in range(count)])

    def _document(self, customer: int, place: int) -> Entry:
        code = self._world.customers.code(customer)
        stamp = self._world.customers.stamp(customer) + place * HOUR
        path = f"{code}/passport & proof {place}.pdf"

        def make(at: int, form: Form) -> Record:  # noqa: ARG001
            return {
                "filePath": path,
                "fileName": f"passport & proof {place}.pdf",
                "documentStoreType": dict(zip(("Code", "Name"), words.DOCUMENT_TYPES[0], strict=True))
                | {"OtherDescription": None},
                "alias": None if place else "passport",
                "description": "",
                "customerCode": code,
                "itemReference": None,
                "state": "Uploaded" if place else None,
                "fileSizeInMB": f"{place + 1}.25",
                "createdOn": form(stamp),
                "updatedOn": None,
            }

        return Entry(path, self._fitted("documents", make), stamp)
