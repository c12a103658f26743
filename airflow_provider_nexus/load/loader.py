"""The loader: brings a reading into a copy. What fits is stored and counted, what does not is put aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Generic

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.proved_read import ReadAgain
from airflow_provider_nexus.extract.request import Contract
from airflow_provider_nexus.extract.spool import RowSpool
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.copy import R, RejectedRecord, Sealed, Stored, Target
from airflow_provider_nexus.load.rejects import Rejects


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

    def store(self, extracted: Extracted, check: Callable[[], None] = lambda: None) -> Stored:
        """Read, and bring the records in, all or nothing.

        :param check: called when all records have come, before anything is changed; what it raises leaves the copy as it was
        :raises NexusRejectedError: when more records don't fit than are allowed
        """
        is_streamed = self.copy.takes_streams and extracted.request.strict
        while True:
            with suppress(ReadAgain), nullcontext(extracted.batches()) if is_streamed else _spooled(extracted) as batches:
                return self._store(extracted, batches, check)

    def _store(self, extracted: Extracted, batches: Iterator[list[Row]], check: Callable[[], None]) -> Stored:
        converter = self.copy.converter(extracted.resource, keeps_untyped=self._contract != "freeze")
        account, put_aside, rejects = converter.account(), Digest(), Rejects(extracted.resource.name, self._max_rejected)

        def rows() -> Iterator[list[R]]:
            for batch in batches:
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
                    yield rows

        def seal() -> Sealed:
            check()
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


@contextmanager
def _spooled(extracted: Extracted) -> Iterator[Iterator[list[Row]]]:
    """The records of a reading that has come to its end."""
    spool = RowSpool()
    try:
        for batch in extracted.batches():
            spool.write(batch)
        yield spool.batches()
    finally:
        spool.close()
