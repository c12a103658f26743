"""What is kept of a customer for compliance: history, comments, free data, personal data, and traces by address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.compliance import PERSONAL_DATA
from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.call import Call, not_found
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.collection import Collection, Entry, Listed, Record
from airflow_provider_nexus.sandbox.data import vocabulary as words
from airflow_provider_nexus.sandbox.filters import select
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, SECOND, Form

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox.data.world import World


_KEPT_OF_CUSTOMER = ("customerCode", "trustlevel", "currencyCode", "isBusiness", "riskQualification", "isReviewRecommended")
_MANY_COMMENTS = 60
_TEXTS = ("Called, number confirmed", "Asked for proof of income\nby mail", 'Says "it\'s fine"', "")


class Compliance:
    """Makes what belongs to one customer.

    :param world: what it belongs to
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._salt = salt_of(world.settings.seed, "compliance")

    def openers(self) -> dict[str, Callable[[int, int], Collection]]:
        """Those with pages, opened with (customer's row, moment)."""
        return {
            "customer_compliance_history": self._history,
            "customer_comments": lambda row, at: self._comments(row),  # noqa: ARG005
        }

    def snapshots(self) -> dict[str, Callable[[Call], Any]]:
        """Those without pages; each takes a call."""
        return {
            "customer_data": self._data,
            "customer_personal_data": self._personal,
            "customer_trace_summaries": self._trace_summaries,
        }

    def row_of(self, call: Call) -> int:
        """The customer that the path names.

        :raises Refusal: 404 when there is none
        """
        row = self._world.customers.find(call.parts["parent"], call.at)
        if row is None:
            raise not_found("Customer", call.parts["parent"])
        return row

    def _history(self, row: int, at: int) -> Listed:
        """How the customer was made, and the status that it has now where that is another."""
        customers = self._world.customers
        made, now = customers.stamp(row), customers.status(row, at)
        is_seeded = 0 < row < WRITTEN and "status" not in customers.patches.get(row, {})
        changes = [(made, "NEW", "created")]
        if now != "NEW":
            reason = customers.value(row, at, ("latestComplianceHistoryReason",))
            changes.append((made + (HOUR if is_seeded else SECOND), now, reason))
        return Listed([self._change(row, *change) for change in changes])

    def _change(self, row: int, stamp: int, status: str, reason: str | None) -> Entry:
        def make(at: int, form: Form) -> Record:
            customer = self._world.customers.record(row, at, form)
            review = stamp - DAY
            record: Record = {
                **{name: customer.get(name) for name in _KEPT_OF_CUSTOMER},
                "created": form(stamp),
                "status": status,
                "latestReview": form(review) if reason not in (None, "created") else None,
                "reason": reason,
                "initiatedBy": "api" if reason == "created" else "operator",
            }
            return self._world.fitted("customer_compliance_history", record)

        return Entry("", make, stamp)

    def _comments(self, row: int) -> Listed:
        """None to three; every thirteenth customer has more than a page of them."""
        count = 0 if row >= WRITTEN else _MANY_COMMENTS if row % 13 == 0 else scatter(self._salt, row) % 4
        return Listed([self._comment(row, place) for place in range(count)])

    def _comment(self, row: int, place: int) -> Entry:
        bits = scatter(self._salt + 1, row * 64 + place)
        guid = codes.guid(row * 64 + place, self._salt)
        stamp = self._world.customers.stamp(row) + place * HOUR + bits % HOUR

        def make(at: int, form: Form) -> Record:
            record: Record = {
                "guid": guid,
                "author": words.FIRST_NAMES[bits % 12] if bits % 7 else None,
                "text": _TEXTS[bits % 4],
                "created": form(stamp),
                "updated": form(min(at, stamp + DAY)) if bits % 3 == 0 else None,
            }
            return self._world.fitted("customer_comments", record)

        return Entry(guid, make, stamp)

    def _data(self, call: Call) -> list[Record]:
        row, form = self.row_of(call), call.form("customer_data")
        held = self._world.customers.record(row, call.at, form, single=True).get("data") or {}
        made = form(self._world.customers.stamp(row))
        who = {"created": made, "createdBy": "api", "updated": None, "updatedBy": None}
        return [self._world.fitted("customer_data", {"key": key, "value": value, **who}) for key, value in held.items()]

    def _personal(self, call: Call) -> Record:
        row = self.row_of(call)
        customer = self._world.customers.record(row, call.at, call.form("customer_personal_data"), single=True)
        country = dict(words.COUNTRIES).get(str(customer["countryCode"]))
        record = {field.name: customer.get(field.name) for field in PERSONAL_DATA.fields} | {"countryName": country}
        return self._world.fitted("customer_personal_data", record)

    def _trace_summaries(self, call: Call) -> list[Record]:
        """An array, not paged; ``startDate`` bounds the traces that are counted."""
        world, resource = self._world, RESOURCES["customer_traces"]
        traces = world.children[resource.name](self.row_of(call), call.at)
        seen: Counter[tuple[str, str | None, str | None, str | None]] = Counter()
        for row in select(resource, traces, call, world.settings).rows(traces, call.at):
            record = traces.record(row, call.at, call.form(resource.name))
            place = record["geoLocation"] or {}
            seen[record["ip"], place.get("countryCode"), place.get("countryName"), place.get("isp")] += 1
        names = ("ip", "countryCode", "countryName", "isp")
        return [
            world.fitted("customer_trace_summaries", dict(zip(names, key, strict=True)) | {"count": count})
            for key, count in seen.items()
        ]
