"""Writes of customers: created, or updated until they are as wanted. See docs/api_facts.rst, Customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_nexus.api.codes import did_you_mean, is_same
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.values import refuse_twins
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusConflictError, NexusNotFoundError
from airflow_provider_nexus.writes.once import Record, Write, code_in

_NOT_COMPARED = frozenset({"accounts", "bankaccounts", "customercode", "fieldstoclear", "isreviewed", "reason"})
_ASKED = (
    *("trustLevel", "trustLevelCode", "portfolioCode", "riskQualification", "isReviewed", "isReviewRecommended", "latestReview"),
    *("reason", "tag", "comment", "data", "bankAccounts", "accounts", "hasPhotoId", "isHighRisk"),
)
"""Fields of requests; some of them no record shows."""
_OTHER_NAMES = {"trustlevelcode": "trustlevel"}
_WITHOUT_CASE = frozenset({"status", "trustlevel", "riskqualification"})
_BY_HAND = "Look at GET /customer/{code}, with the customer's code, and compare it with what the task wants."


def create_write(client: NexusClient, code: str, values: Mapping[str, Any]) -> Write:
    """The call that creates a customer, or finds one that is as wanted."""
    refuse_unknown(values)

    def find(_: object) -> list[Record]:
        try:
            record = client.get_record("customers", code)
        except NexusNotFoundError:
            return []
        if unlike := differences(values, record):
            raise NexusConflictError(
                "POST",
                "/customer",
                detail=f"the customer exists with other values: {'; '.join(unlike)}. Update it, or take these",
            )
        return [record]

    return _write(client, code, "POST", "/customer", {**values, "customerCode": code}, find)


def update_write(client: NexusClient, code: str, values: Mapping[str, Any], fields_to_clear: Sequence[str] = ()) -> Write:
    """The call that changes a customer, or finds that it is as wanted.

    :raises NexusNotFoundError: when looked for: there is no such customer
    """

    def find(_: object) -> list[Record]:
        record = client.get_record("customers", code)
        is_clear = all(at(record, name) in (None, "") for name in fields_to_clear)
        return [record] if is_clear and not differences(values, record, missing_differs=True) else []

    refuse_unknown([*values, *fields_to_clear])
    body = {("trustLevelCode" if name == "trustLevel" else name): value for name, value in values.items()}
    if fields_to_clear:
        body["fieldsToClear"] = list(fields_to_clear)
    return _write(client, code, "PUT", get_resource("customers").record_path(code), body, find)


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuse names that Nexus would not know, or would take for one.

    :raises NexusConfigurationError: for the first such; names the nearest field
    """
    names = list(names)
    refuse_twins(names, "the body")
    known = (*(field.name for field in get_resource("customers").schema.fields), *_ASKED)
    for name in names:
        if name.casefold() not in map(str.casefold, known):
            hint = did_you_mean(name, known, "see Customer in the data dictionary", then="Nothing was sent")
            raise NexusConfigurationError(f"a customer has no field {name!r}: {hint}")


def differences(values: Mapping[str, Any], record: Mapping[str, Any], *, missing_differs: bool = False) -> list[str]:
    """The wanted values that the record does not have, one text each; personal values are left out of it.

    :param missing_differs: whether a field that the record does not show counts as different
    """
    schema, shown = get_resource("customers").schema, {name.lower() for name in record}
    found = []
    for name, wanted in values.items():
        folded = _OTHER_NAMES.get(name.lower(), name.lower())
        if wanted is None or folded in _NOT_COMPARED or (folded not in shown and not missing_differs):
            continue
        field, has = schema.by_folded_name.get(folded), at(record, folded)
        key = field.name if field else name
        if not _is_alike(folded, typed(get_resource("customers"), {key: wanted})[key], has):
            is_told = field is not None and not field.personal
            found.append(f"{name} is {has!r}, wanted is {wanted!r}" if is_told else f"{name} differs")
    return found


def _is_alike(name: str, wanted: Any, has: Any) -> bool:
    if isinstance(wanted, Mapping):
        return all((has or {}).get(key) == value for key, value in wanted.items())
    if name in _WITHOUT_CASE:
        return str(wanted).strip().casefold() == str(has or "").strip().casefold()
    plain, other = (value.strip() if isinstance(value, str) else value for value in (wanted, has))
    return bool(plain == other)


def _write(client: NexusClient, code: str, method: str, path: str, body: Any, find: Any) -> Write:
    return Write(
        method=method,
        path=path,
        body=body,
        find=find,
        read=lambda known: client.get_record("customers", known),
        code_of=lambda answer: code if is_same(code, code_in(answer, "customerCode")) else "",
        lookup_by_hand=_BY_HAND,
        is_personal=True,
    )
