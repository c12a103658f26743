"""The loader: brings a reading into a copy. What fits is stored and counted, what does not is put aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Generic

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.request import Contract
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.copy import R, RejectedRecord, Sealed, Stored, Target
from airflow_provider_nexus.load.rejects import Rejects

_BATCH = 500
"""Records that are converted at once."""


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
            records = extracted.spool.rows()
            while batch := list(islice(records, _BATCH)):
                fitting: list[tuple[Row, R]] = []
                for record, row in zip(batch, converter.rows(batch, extracted.origin), strict=True):
                    if isinstance(row, RejectedRecord):
                        rejects.add(record, row.field, row.reason)
                        put_aside.add_text(record.raw)
                    elif self._wanted(row):
                        fitting.append((record, row))
                if fitting:
                    rows = [row for _, row in fitting]
                    account.add(rows)
                    account.first, account.last = account.first or fitting[0][0], fitting[-1][0]
                    yield from rows

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
