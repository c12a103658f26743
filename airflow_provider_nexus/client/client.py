"""Client of the API by the names of the catalogue: any call, one record, one page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.codes import is_same, path_segment
from airflow_provider_nexus.api.records import at, typed
from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import find_by_path, get_resource
from airflow_provider_nexus.client.call import Call, Options
from airflow_provider_nexus.client.reply import Answer
from airflow_provider_nexus.client.values import method_of
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusConfigurationError,
    NexusDataError,
    NexusResponseError,
)

if TYPE_CHECKING:
    from airflow_provider_nexus.client.session import NexusSession

_log = logging.getLogger(__name__)
LARGE_PAGE = 250
"""Records to ask for in one call, where the server takes that. The largest that Nexus takes is not documented."""


class NexusClient:
    """Nexus, spoken to through one session.

    :param session: sends the calls
    :ivar unsorted: names of the resources whose lists the server was seen not to sort
    :ivar page_size: records to ask for in one call where nobody says how many; less once the server has refused so many
    """

    def __init__(self, session: NexusSession) -> None:
        self.session = session
        self.unsorted: set[str] = set()
        self.page_size = LARGE_PAGE

    def run(self, method: str, path: str, **options: Unpack[Options]) -> Any:
        """Any call: the decoded ``values``, or the bare body where there is no envelope; ``None`` for an empty one.

        Fractions are ``Decimal``. Where the catalogue knows the path, money is ``Decimal`` throughout and times are pendulum.

        :raises NexusAmbiguousWriteError: when a change may or may not have happened, or its answer can't be read
        :raises NexusApiError: one class per cause
        """
        return self.send(Call(method_of(method), path, **options))

    def send(self, call: Call, before: Callable[[], object] | None = None) -> Any:
        """The answer to a call that is made up, as :meth:`run` returns it; ``before`` is that of :meth:`NexusSession.send`."""
        return typed_answer(call, self.session.send(call, envelope.unwrap, before=before).value)

    def get_record(self, resource: str, code: str) -> dict[str, Any]:
        """One record: times as pendulum in UTC, money as ``Decimal``.

        :raises NexusNotFoundError: when there is none
        :raises NexusResponseError: when Nexus answers with another one
        :raises NexusConfigurationError: when the resource has no call for one record, or the code can't be one
        """
        return self.session.send(*record_call(get_resource(resource), code)).value

    def fetch(self, resource: Resource, parent: str = "", params: Mapping[str, Any] | None = None) -> Answer[envelope.Records]:
        """One answer of a collection, of a child by the code of its parent's record: its records raw."""
        return self.session.send(collection_call(resource, parent, params), lambda body: envelope.records(resource, body))


def typed_answer(call: Call, values: Any) -> Any:
    """The values of an answer with the records in them typed, where the catalogue knows the path.

    :raises NexusDataError: when one can't be read
    :raises NexusAmbiguousWriteError: the same after a change, which may have happened
    """
    resource = find_by_path(call.path)
    try:
        return typed_values(resource, values) if resource else values
    except NexusDataError as error:
        if call.is_repeatable:
            raise
        detail = f"Nexus took it, and its answer can't be read: {error}"
        raise NexusAmbiguousWriteError(call.method, call.label, detail=detail) from error


def collection_call(resource: Resource, parent: str = "", params: Mapping[str, Any] | None = None) -> Call:
    """The call for one answer of a collection."""
    query = {resource.parent_query: parent, **(params or {})} if resource.parent_query else params
    return Call("GET", resource.collection_path(parent), query, api_version=resource.api_version)


def record_call(resource: Resource, code: str) -> tuple[Call, Callable[[bytes], dict[str, Any]]]:
    """The call for one record, and the decoder of its answer, which types the record.

    :raises NexusConfigurationError: when the resource has no such call
    :raises NexusResponseError: by the decoder, when Nexus answers with another record
    """
    try:
        call = Call("GET", resource.record_path(code), api_version=resource.api_version)
    except LookupError as error:
        raise NexusConfigurationError(str(error)) from None

    def decode(body: bytes) -> dict[str, Any]:
        record = envelope.unwrap(body)
        if not isinstance(record, dict):
            raise envelope.MalformedAnswerError("an answer without a record")
        found = at(record, resource.key[0])
        if found is not None and not resource.has_aliases and not is_same(code, found):
            detail = f"Nexus answered with another one of {resource.name} than the one that was asked for"
            raise NexusResponseError("GET", call.label, detail=detail)
        return _typed(resource, record)

    return call, decode


def cancel_call(resource: Resource, code: str) -> Call:
    """The call that cancels a record; :class:`NexusConfigurationError` where the resource has none."""
    if not resource.cancel:
        raise NexusConfigurationError(f"Nexus offers no call that cancels one of {resource.name}")
    method, path = resource.cancel
    return Call(method, path.replace("{code}", path_segment(code)), api_version=resource.api_version)


def _typed(resource: Resource, record: dict[str, Any]) -> dict[str, Any]:
    return typed(resource, record, partial(_log.warning, "%s: %s is not %s; it is given as it came", resource.name))


def typed_values(resource: Resource, values: Any) -> Any:
    """The values of an answer with the records in them typed: one record, a list or dictionary of them, or a page."""
    if isinstance(values, list):
        return [_typed(resource, item) if isinstance(item, dict) else item for item in values]
    if not isinstance(values, dict):
        return values
    holders = {"records", *(name.lower() for name in (*resource.holders, *resource.wrapped_in))}
    if any(name.lower() in holders for name in values):
        lifted = {name.lower() for name in resource.lifted}
        beside = typed(resource, {name: value for name, value in values.items() if name.lower() in lifted})
        inside = {name: typed_values(resource, value) for name, value in values.items() if name.lower() in holders}
        return {**values, **beside, **inside}
    if resource.shape is Shape.KEYED:
        return {code: _typed(resource, value) if isinstance(value, dict) else value for code, value in values.items()}
    return _typed(resource, values)
