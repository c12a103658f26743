"""Screening of customers: who is due for review, what of them is searched in sanction lists, and what an answer means.

See docs/api_facts.rst, Sanction calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from airflow_provider_nexus.api.codes import is_same
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusValidationError,
)
from airflow_provider_nexus.extract.records import RecordsWanted

Record = Mapping[str, Any]
HitsOf = Callable[[Any], Mapping[str, int]]
"""The values of an answer -> number of entries by list; raises ``ValueError`` when it can't tell."""

CLEAR, HIT, UNCLEAR, REFUSED, NOTHING = "clear", "hit", "unclear", "refused", "nothing_to_search"
GONE, COMPLETE = "deleted", "complete"
"""Outcomes of a customer that was deleted meanwhile, and of a round as a whole."""
FINDINGS = (HIT, UNCLEAR, REFUSED, NOTHING)
"""Outcomes that a person has to judge."""
ANSWERED = (CLEAR, HIT, UNCLEAR)
"""Outcomes of searches that Nexus answered."""
REPEATED = (REFUSED, NOTHING)
"""Outcomes without an answer of Nexus: another try, or another run of the same round, searches again."""
_DELETED = "deleted"


@dataclass(frozen=True)
class Subject:
    """What is searched of a customer.

    :param kind: ``customer``, ``company``, ``person`` or ``address``; ``customer_parts`` or ``person_parts`` where first and last
        name are another than the name
    :param code: of the customer, the person or the account, which identifies it without its name
    :param query: body of the search; empty where Nexus has nothing to search for
    """

    kind: str
    code: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Searched:
    """What came of one search: an outcome of this module, entries by list, and what Nexus answered or why there is no answer."""

    outcome: str
    hits: Mapping[str, int] = field(default_factory=dict)
    values: Any = field(default=None, repr=False)
    note: str = ""


def due_customers(
    client: NexusClient, moment: datetime, days: Mapping[str, int], log: Log
) -> tuple[list[tuple[Record, str]], int]:
    """The customers that are due for review, each with the reason, and the number of all customers.

    All are read and proved complete, as it is not known whether Nexus' filters by review find those without one.

    :param moment: due by then
    :param days: days from one review to the next by risk qualification; any other has the fewest of them
    """
    found, count = list[tuple[Record, str]](), 0
    for customer in RecordsWanted(resource=get_resource("customers"), settle_lag=0).records(client, log):
        count += 1
        if not is_same(_DELETED, at(customer, "status")) and (reason := why_due(customer, moment, days)):
            found.append((customer, reason))
    return found, count


def why_due(customer: Record, moment: datetime, days: Mapping[str, int]) -> str:
    """Why a customer is due for review; empty when it is not."""
    latest, risk = at(customer, "latestReview"), str(at(customer, "riskQualification") or "")
    if not isinstance(latest, datetime):
        return "never reviewed"
    if at(customer, "isReviewRecommended") is True:
        return "review recommended"
    wanted = next((count for name, count in days.items() if is_same(name, risk)), min(days.values()))
    if not wanted:
        return "every customer is"
    return f"reviewed {wanted} days ago or earlier" if latest + timedelta(days=wanted) <= moment else ""


def live_lists(client: NexusClient, log: Log) -> dict[str, str]:
    """Code and version of each sanction list that is live.

    :raises NexusConfigurationError: when there is none, so that a search would find nobody
    """
    uploads = RecordsWanted(resource=get_resource("sanction_list_uploads")).records(client, log)
    live = [each for each in uploads if is_same("live", at(each, "status"))]
    live.sort(key=lambda each: str(at(each, "created") or ""))
    found = {str(at(each, "code")): str(at(each, "version") or "") for each in live}
    if not found:
        raise NexusConfigurationError("Nexus has no sanction list that is live, so a search would find nobody: upload one first")
    return found


def is_listed(client: NexusClient, code: str, log: Log) -> bool:
    """Whether a customer is in the list of customers, which is read and proved complete, as one that was not deleted."""
    wanted = RecordsWanted(resource=get_resource("customers"), settle_lag=0)
    states = [at(each, "status") for each in wanted.records(client, log) if is_same(code, at(each, "customerCode"))]
    return any(not is_same(_DELETED, status) for status in states)


def subjects_of(client: NexusClient, customer: Record, log: Log) -> Iterator[Subject]:
    """What is searched of a customer: its names, its persons, and the addresses of its own wallets.

    :raises NexusNotFoundError: when there is no such customer any more
    """
    code = str(at(customer, "customerCode"))
    is_business = at(customer, "isBusiness") is True
    name, company = _name(customer), _text(at(customer, "companyName"))
    if not (company if is_business else name):
        personal = _personal_data(client, code, log)
        name, company = name or _name(personal), company or _text(at(personal, "companyName"))
    if name or not is_business:
        yield from _people("customer", code, name, customer)
    if company or is_business:
        yield Subject("company", code, {"name": company} if company else {})
    for person in RecordsWanted(resource=get_resource("customer_persons"), parent=code).records(client, log):
        yield from _people("person", str(at(person, "id")), _name(person), person)
    asked = RecordsWanted(resource=get_resource("accounts"), filters={"customerCode": code}, settle_lag=0)
    for account in asked.records(client, log):
        address = _text(at(account, "customerCryptoAddress"))
        is_own = is_same(code, at(account, "customerCode"))  # a server may take no notice of the filter
        if address and is_own and not is_same(_DELETED, at(account, "accountStatus")):
            yield Subject("address", str(at(account, "accountCode") or at(account, "guid")), {"cryptoAddress": address})


def search(client: NexusClient, query: Mapping[str, Any], hits_of: HitsOf) -> Searched:
    """Search once. What can't be read as "nobody" is never clear.

    :raises NexusApiError: when the search failed; it has no outcome then
    """
    call = Call("POST", "/sanction/search", json=query)
    try:
        _ = call.body
    except NexusConfigurationError:
        return Searched(REFUSED, note="it can't be written as JSON, so nothing was sent")
    try:
        values = client.send(call)
    except NexusValidationError as error:
        return Searched(REFUSED, note=f"HTTP {error.status}")  # what Nexus says may repeat the name
    try:
        hits = {name: count for name, count in hits_of(values).items() if count}
    except ValueError:
        return Searched(UNCLEAR, values=values)
    return Searched(HIT if hits else CLEAR, hits, values)


def count_hits(values: Any) -> dict[str, int]:
    """Number of entries by list in the answer to a sanction search.

    ``listResults`` is declared as an object, and what is in it is not. It is read as one list of entries by name, or an object
    around such lists.

    :raises ValueError: for any other shape
    """
    results = at(values, "listResults")
    results = {"": results} if isinstance(results, list) else results
    if not isinstance(results, Mapping):
        raise ValueError("the answer to a sanction search has no listResults")  # noqa: TRY004 - it is no programming error
    return {str(name): _entries(each) for name, each in results.items()}


def _entries(value: Any) -> int:
    if value is None or isinstance(value, list):
        return len(value or ())
    if not isinstance(value, Mapping):
        raise ValueError("neither a list of entries nor an object around lists")  # noqa: TRY004
    parts = [each for each in value.values() if isinstance(each, Mapping | list)]
    count = sum(map(_entries, parts))
    if not count and any(each is not None and not isinstance(each, Mapping | list) for each in value.values()):
        raise ValueError("an object that is more than lists of entries")
    return count


def _personal_data(client: NexusClient, code: str, log: Log) -> Record:
    """Another place where a customer's name can be; empty where Nexus does not offer it."""
    try:
        found = RecordsWanted(resource=get_resource("customer_personal_data"), parent=code).records(client, log)
        return next(found, {})
    except (NexusNotFoundError, NexusPermissionError):
        return {}


def _people(kind: str, code: str, name: str, record: Record) -> Iterator[Subject]:
    """A person by its name, and by its first and last name where those are another."""
    born, parts = at(record, "dateOfBirth"), _parts(record)
    dated = {"dateOfBirth": born.isoformat()} if isinstance(born, date) else {}
    yield Subject(kind, code, {"name": name, **dated} if name else {})
    if parts and not is_same(parts, name):
        yield Subject(f"{kind}_parts", code, {"name": parts, **dated})


def _name(record: Record) -> str:
    return _text(at(record, "name")) or _parts(record)


def _parts(record: Record) -> str:
    return " ".join(filter(None, (_text(at(record, name)) for name in ("firstName", "lastName"))))


def _text(value: Any) -> str:
    """A text; empty when there is nothing to be seen in it."""
    text = str(value or "").strip()
    return text if any(sign.isprintable() and not sign.isspace() for sign in text) else ""
