"""The loader: brings a reading into a copy. What fits is stored and counted, what does not is put aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic

from airflow_provider_nexus.extract.account import Digest
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.request import Contract
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.copy import R, Sealed, Stored, Target
from airflow_provider_nexus.load.rejects import Rejects
from airflow_provider_nexus.load.rows import RejectedRecord


class Loader(Generic[R]):
    """Brings readings into a copy.

    :param copy: where they go
    :param max_rejected: records of one reading that may be put aside
    :param contract: under ``freeze`` a value of another kind than declared does not fit; else it is stored untyped
    :param wanted: whether a row is to be stored
    """

    def __init__(
        self,
        copy: Target[R],
        max_rejected: int = 0,
        *,
        contract: Contract = "report",
        wanted: Callable[[R], bool] = lambda _: True,
    ) -> None:
        self.copy, self._max_rejected, self._contract, self._wanted = copy, max_rejected, contract, wanted

    def store(self, extracted: Extracted) -> Stored:
        """Bring a reading in, all or nothing.

        :raises NexusRejectedError: when more records don't fit than are allowed
        """
        converter = self.copy.converter(extracted.resource, keeps_untyped=self._contract != "freeze")
        account, put_aside, rejects = converter.account(), Digest(), Rejects(extracted.resource.name, self._max_rejected)

        def rows() -> Iterator[R]:
            for record in extracted.spool.rows():
                try:
                    row = converter.row(record, extracted.origin)
                except RejectedRecord as rejected:
                    rejects.add(record, record.flaw if record.flaw and rejected.field == "?" else rejected.field, rejected.reason)
                    put_aside.add_text(record.raw)
                    continue
                if self._wanted(row):
                    account.add(row)
                    account.first, account.last = account.first or record, record
                    yield row

        def seal() -> Sealed:
            rejects.refuse_too_many()
            return Sealed(
                label=extracted.label,
                feed=extracted.feed,
                read_at=extracted.origin.read_at,
                window=extracted.window,
                verdict=str(extracted.proof.verdict),
                records=account.records,
                content=account.contents.plus(put_aside).digest,
                manifest=manifests.describe(extracted, account, manifests.TABLE, dict(sorted(converter.untyped.items()))),
                account=account,
                rejects=tuple(rejects.found),
            )

        stored = self.copy.apply(rows(), extracted.scope, seal)
        return replace(
            stored,
            records=account.records,
            key_digest=account.key_digest,
            rejected=rejects.count,
            untyped=dict(sorted(converter.untyped.items())),
        )
