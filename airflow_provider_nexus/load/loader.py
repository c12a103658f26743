"""The loader: brings a reading into a copy. What fits is stored and counted, what does not is put aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Generic, cast

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.proof import ReadAgain
from airflow_provider_nexus.extract.request import Contract
from airflow_provider_nexus.extract.spool import RowSpool
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.copy import R, RejectedRecord, Sealed, Stored, Target
from airflow_provider_nexus.load.rejects import Rejects


class Loader(Generic[R]):
    """Brings readings into a copy.

    :param max_rejected: records of one reading that may be put aside
    :param contract: under ``freeze`` a value of another kind than declared does not fit; else it is stored untyped
    :param wanted: whether a row is to be stored; ``None`` when all are
    """

    def __init__(
        self,
        copy: Target[R],
        max_rejected: int = 0,
        *,
        contract: Contract = "report",
        wanted: Callable[[R], bool] | None = None,
    ) -> None:
        self.copy, self._max_rejected, self._contract, self._wanted = copy, max_rejected, contract, wanted

    def store(self, extracted: Extracted, check: Callable[[], None] = lambda: None) -> Stored:
        """Read, and bring the records in, all or nothing.

        :param check: called when all records have come, before anything is changed; what it raises leaves the copy as it was
        :raises NexusRejectedError: when more records don't fit than are allowed
        """
        while True:
            with suppress(ReadAgain):
                if self.copy.takes_streams and extracted.request.strict:
                    with closing(extracted.batches()) as batches:
                        return self._store(extracted, batches, (extracted.conclude, check))
                with _spooled(extracted) as batches:
                    return self._store(extracted, batches, (check,))

    def _store(self, extracted: Extracted, batches: Iterator[list[Row]], checks: Iterable[Callable[[], None]]) -> Stored:
        converter = self.copy.converter(extracted.resource, keeps_untyped=self._contract != "freeze")
        account, rejects = converter.account(), Rejects(extracted.resource.name, self._max_rejected)

        def rows() -> Iterator[Sequence[R]]:
            for batch in batches:
                records, rows = batch, converter.rows(batch, extracted.origin)
                if self._wanted or RejectedRecord in map(type, rows):
                    records, rows = self._fitting(batch, rows, rejects)
                if rows:
                    account.add(fitting := cast(Sequence[R], rows))
                    account.first, account.last = account.first or records[0], records[-1]
                    yield fitting

        def seal() -> Sealed:
            for check in checks:
                check()
            rejects.refuse_too_many()
            return Sealed(
                label=extracted.label,
                feed=extracted.feed,
                read_at=extracted.origin.read_at,
                window=extracted.window,
                verdict=str(extracted.proof.verdict),
                records=account.records,
                content=account.contents.plus(rejects.contents).digest,
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

    def _fitting(self, records: list[Row], rows: Sequence[R | RejectedRecord], rejects: Rejects) -> tuple[list[Row], Sequence[R]]:
        """The records that fit and are to be stored, and their rows."""
        fitting = list[tuple[Row, R]]()
        for record, row in zip(records, rows, strict=True):
            if isinstance(row, RejectedRecord):
                rejects.add(record, row.field, row.reason)
            elif self._wanted is None or self._wanted(row):
                fitting.append((record, row))
        return [record for record, _ in fitting], [row for _, row in fitting]


@contextmanager
def _spooled(extracted: Extracted) -> Iterator[Iterator[list[Row]]]:
    """The records of a reading that has come to its end."""
    spool = RowSpool()
    try:
        with closing(extracted.batches()) as batches:
            for batch in batches:
                spool.write(batch)
        extracted.conclude()
        yield spool.batches()
    finally:
        spool.close()
