"""Resources of one customer: persons, bank accounts, traces, documents, compliance history, comments and personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.api.schemas.compliance import PERSONAL_DATA
from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.call import ApiCall
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.data.customers import Customers, iban_of
from airflow_provider_nexus.sandbox.data.registers import Banks
from airflow_provider_nexus.sandbox.rows import ListedRow, Record
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, MINUTE, SECOND, Stamp

_PERSON_TYPES: tuple[list[str], ...] = (["Director"], ["UltimateBeneficialOwner", "Director"], ["Other"], [])
_ENTITIES = ("Customer", "Account", "BrokerBuyTransaction", "CustodianBuyTransaction", None)
_MANY_TRACES, _FEW_TRACES, _MANY_COMMENTS = 40, 6, 60
_OF_CUSTOMER = ("customerCode", "trustlevel", "currencyCode", "isBusiness", "riskQualification", "isReviewRecommended")
_COMMENTS = ("Called, number confirmed", "Asked for proof of income\nby mail", 'Says "it\'s fine"', "")


class CustomerChildren:
    """Makes what belongs to one customer: collections for (customer's row, moment), and the ``values`` of snapshots."""

    def __init__(self, seed: int, customers: Customers, banks: Banks) -> None:
        self._customers, self._banks = customers, banks
        self._salt, self._compliance_salt = salt_of(seed, "children"), salt_of(seed, "compliance")
        self.lists: dict[str, Callable[[int, int], Iterable[ListedRow]]] = {
            "customer_persons": self._persons,
            "customer_bank_accounts": self._bank_accounts,
            "customer_traces": self._traces,
            "documents": self._documents,
            "customer_compliance_history": self._history,
            "customer_comments": self._comments,
        }
        self.snapshots: dict[str, Callable[[ApiCall], Any]] = {
            "customer_data": self._data,
            "customer_personal_data": self._personal,
        }

    def _guid(self, name: str, customer: int, place: int) -> str:
        """An id that no other child has."""
        return codes.guid(customer * 1000 + place, salt_of(self._salt, f"{name}{customer}"))

    def _persons(self, customer: int, at: int) -> Iterable[ListedRow]:  # noqa: ARG002
        """One to three persons of a business; nobody else has any."""
        is_seeded_business = customer < codes.WRITTEN and self._customers.is_business(customer)
        for place in range(1 + scatter(self._salt, customer) % 3 if is_seeded_business else 0):
            bits, guid = scatter(self._salt + 1, customer * 8 + place), self._guid("person", customer, place)
            stamp = self._customers.stamp(customer) + place * MINUTE
            country = dict(zip(("code", "name"), words.COUNTRIES[bits % 5], strict=True))
            record: Record = {
                "id": guid,
                "customerCode": self._customers.code(customer),
                "firstName": words.FIRST_NAMES[bits % 12] if bits % 9 else None,
                "lastName": words.LAST_NAMES[(bits >> 8) % 12],
                "types": _PERSON_TYPES[bits % 4],
                "dateOfBirth": f"19{60 + bits % 40}-0{1 + bits % 9}-1{bits % 10}" if bits % 5 else None,
                "nationality": country if bits % 3 else None,
                "residenceCountry": country,
                "ownershipPercentage": Raw(b"0.2500") if bits % 2 else None,
                "createdOn": Stamp(stamp),
                "createdBy": "api",
                "updatedBy": "operator" if bits % 2 else None,
            }
            yield ListedRow(guid, _updated(record, "updatedOn", stamp + HOUR if bits % 2 else None), stamp)

    def _bank_accounts(self, customer: int, at: int) -> Iterable[ListedRow]:  # noqa: ARG002
        """One or two; the first is the primary one."""
        for place in range(1 + customer % 2 if customer < codes.WRITTEN else 0):
            guid, stamp = self._guid("bank", customer, place), self._customers.stamp(customer)
            record: Record = {
                "id": guid,
                "number": iban_of(customer, place),
                "name": words.LAST_NAMES[customer % 12] if place else None,
                "customerCode": self._customers.code(customer),
                "currencyCode": self._customers.currency(customer).code,
                "bank": self._banks.known(words.BANKS[customer % 3]),
                "isPrimary": place == 0,
                "created": Stamp(stamp),
                "createdBy": "api",
                "updatedBy": None if place else "operator",
            }
            yield ListedRow(guid, _updated(record, "updated", stamp + DAY), stamp)

    def _traces(self, customer: int, at: int) -> Iterable[ListedRow]:  # noqa: ARG002
        """A few; every seventeenth customer has many, but no more than one page has room for."""
        for place in range(_MANY_TRACES if customer % 17 == 0 else scatter(self._salt + 2, customer) % _FEW_TRACES):
            bits = scatter(self._salt + 3, customer * 1024 + place)
            stamp = self._customers.stamp(customer) + place * 7 * MINUTE + bits % MINUTE
            code, name = words.COUNTRIES[bits % 5]
            record: Record = {
                "ip": f"192.0.2.{bits % 250}" if bits % 4 else f"2001:db8::{bits % 65536:x}",
                "created": Stamp(stamp),
                "action": ("Created", "Viewed", "Simulated")[bits % 3],
                "entityType": _ENTITIES[bits % 5],
                "geoLocation": {"countryCode": code, "countryName": name, "isp": words.PROVIDERS[bits % 5]} if bits % 7 else None,
            }
            yield ListedRow("", record, stamp)

    def _documents(self, customer: int, at: int) -> Iterable[ListedRow]:  # noqa: ARG002
        """None to two."""
        for place in range(scatter(self._salt + 4, customer) % 3 if customer < codes.WRITTEN else 0):
            code, stamp = self._customers.code(customer), self._customers.stamp(customer) + place * HOUR
            name, kind = f"passport & proof {place}.pdf", words.DOCUMENT_TYPES[0]
            record: Record = {
                "filePath": f"{code}/{name}",
                "fileName": name,
                "documentStoreType": document_type(*kind),
                "alias": None if place else "passport",
                "description": "",
                "customerCode": code,
                "itemReference": None,
                "state": "Uploaded" if place else None,
                "fileSizeInMB": f"{place + 1}.25",
                "createdOn": Stamp(stamp),
                "updatedOn": None,
            }
            yield ListedRow(record["filePath"], record, stamp)

    def _history(self, customer: int, at: int) -> Iterable[ListedRow]:
        """How the customer was made, and the status that it has now where that is another."""
        customers = self._customers
        made, now = customers.stamp(customer), customers.status(customer, at)
        changes: list[tuple[int, str, str | None]] = [(made, "NEW", "created")]
        if now != "NEW":
            is_seeded = 0 < customer < codes.WRITTEN and "status" not in customers.patches.get(customer, {})
            reason = customers.value(customer, at, ("latestComplianceHistoryReason",))
            changes.append((made + (HOUR if is_seeded else SECOND), now, reason))
        record = customers.record(customer, at)
        for stamp, status, why in changes:
            values: Record = {
                **{name: record[name] for name in _OF_CUSTOMER},
                "created": Stamp(stamp),
                "status": status,
                "latestReview": Stamp(stamp - DAY) if why not in (None, "created") else None,
                "reason": why,
                "initiatedBy": "api" if why == "created" else "operator",
            }
            yield ListedRow("", values, stamp)

    def _comments(self, customer: int, at: int) -> Iterable[ListedRow]:  # noqa: ARG002
        """None to three; every thirteenth customer has more than a page of them."""
        salt = self._compliance_salt
        count = 0 if customer >= codes.WRITTEN else _MANY_COMMENTS if customer % 13 == 0 else scatter(salt, customer) % 4
        for place in range(count):
            bits, guid = scatter(salt + 1, customer * 64 + place), codes.guid(customer * 64 + place, salt)
            stamp = self._customers.stamp(customer) + place * HOUR + bits % HOUR
            author = words.FIRST_NAMES[bits % 12] if bits % 7 else None
            record: Record = {"guid": guid, "author": author, "text": _COMMENTS[bits % 4], "created": Stamp(stamp)}
            yield ListedRow(guid, _updated(record, "updated", stamp + DAY if bits % 3 == 0 else None), stamp)

    def _data(self, call: ApiCall) -> list[Record]:
        row = self._customers.found("Customer", call.parts["parent"], call.at)
        who = {"created": Stamp(self._customers.stamp(row)), "createdBy": "api", "updated": None, "updatedBy": None}
        data = self._customers.record(row, call.at).get("data") or {}
        return [{"key": key, "value": value, **who} for key, value in data.items()]

    def _personal(self, call: ApiCall) -> Record:
        row = self._customers.found("Customer", call.parts["parent"], call.at)
        customer = self._customers.record(row, call.at)
        country = dict(words.COUNTRIES).get(str(customer["countryCode"]))
        return {field.name: customer.get(field.name) for field in PERSONAL_DATA.fields} | {"countryName": country}


def _updated(record: Record, name: str, moment: int | None) -> Callable[[int], Record]:
    """The record with the stamp of its last change, which has happened at any moment that is asked for."""
    return lambda at: {**record, name: None if moment is None else Stamp(min(at, moment))}


def document_type(code: str, name: str) -> Record:
    """A type of document as documents show it."""
    return {"Code": code, "Name": name, "OtherDescription": None}
