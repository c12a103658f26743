"""Collections that belong to a record of another one: each parent's is read and proved by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusPermissionError
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all, stream
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.source import PAGE_SIZE, Page, Source
from airflow_provider_nexus.extract.window import BEGINNING, Window, server_now

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.extracted import Intake

WORST_FIRST = (Verdict.UNPROVED, Verdict.PROVED_SHRUNK, Verdict.PROVED)


class ChildrenReading:
    """Reads all children of one kind.

    :param request: parents that it names must be there, where of all parents one may be deleted meanwhile; as many readings of
        each parent's children in a row must agree as it wants
    :param on_page: called with every page of children
    """

    def __init__(self, client: NexusClient, request: SyncRequest, log: Log, on_page: Callable[[Page], None]) -> None:
        self._client, self._log, self._on_page = client, log, on_page
        self._resource, self._named, self._readings = request.resource, request.parents, request.readings
        self._parent, self._page_size = get_resource(request.resource.parent), request.page_size or PAGE_SIZE
        self._largest = 0
        self._without: list[NexusNotFoundError] = []

    def _parents(self) -> Iterator[str]:
        """The codes of all records of the parent resource as of now."""
        window = Window(BEGINNING, server_now(self._client, self._parent)) if self._parent.is_windowed else None
        source = Source(self._client, self._parent, page_size=self._page_size)
        for row in stream(source, window):
            if not self._resource.parent_only or source.reader.record(row).get(self._resource.parent_only):
                yield row.key

    proof: Proof
    """The worst of the proofs, with the counts of all."""

    def rows(self, intake: Intake | None = None) -> Generator[list[Row]]:
        """The children of all parents.

        :raises NexusNotFoundError: when Nexus does not offer the children at all, or has no record of a code that was named
        """
        self._without, proofs = [], list[Proof]()
        for parent in self._parents() if self._named is None else self._named:
            rows, proof = self._read_one(parent)
            proofs += [proof] if proof else []
            if rows:
                yield intake.take(rows) if intake else rows
        if self._without and not any(proof.unique for proof in proofs):
            raise self._without[0]
        worst = min((proof.verdict for proof in proofs), key=WORST_FIRST.index, default=Verdict.PROVED)
        unique = sum(proof.unique for proof in proofs)
        self.proof = Proof(
            worst,
            "guarded" if proofs else "whole answer",
            max((proof.readings for proof in proofs), default=1),
            unique,
            unique,
            unique,
            reasons=tuple(reason for proof in proofs for reason in proof.reasons)[:10],
            agreeing=min((proof.agreeing for proof in proofs), default=1),
        )

    def _read_one(self, parent: str) -> tuple[list[Row], Proof | None]:
        source = Source(
            self._client, self._resource, parent=parent, page_size=self._page_size, on_page=self._on_page, largest=self._largest
        )
        reading = Reading(source, None, readings=self._readings)
        try:
            rows = read_all(reading)
        except NexusNotFoundError as error:
            if self._named is not None:
                refuse_unknown_parent(self._client, self._resource, parent)
            self._explain(error, parent)
            return [], None
        self._largest = source.largest
        if self._named is not None and not rows:
            refuse_unknown_parent(self._client, self._resource, parent)
        return rows, reading.proof

    def _explain(self, error: NexusNotFoundError, parent: str) -> None:
        """A 404 means that the parent is deleted, which is nothing, or that the endpoint is, which must not look like no rows.

        Where a parent has one object or none, it may mean none: then another parent's has to show that the endpoint is there.
        """
        if not self._parent.member_path:
            raise error
        try:
            self._client.get_record(self._parent.name, parent)
        except NexusNotFoundError:
            self._log.warning("%s: a record of %s was deleted, its children with it", self._resource.name, self._parent.name)
            return
        if self._resource.is_seen or self._resource.shape is not Shape.OBJECT:
            raise error
        self._without.append(error)


def refuse_unknown_parent(client: NexusClient, resource: Resource, parent: str) -> None:
    """Refuse a code that the user named and that Nexus has no record of, as a server may answer for it with no children.

    :param resource: the child's entry of the catalogue
    :raises NexusNotFoundError: when there is none
    """
    entry = get_resource(resource.parent)
    if not entry.member_path:
        return
    try:
        client.get_record(entry.name, parent)
    except NexusPermissionError:
        return  # whoever may read the children need not be allowed to read their parent
    except NexusNotFoundError as error:
        detail = f"there is no {parent!r} among the {entry.name}, so it has no {resource.name}: correct the code of the parent"
        raise NexusNotFoundError(error.method, error.path, status=error.status, detail=detail) from None
