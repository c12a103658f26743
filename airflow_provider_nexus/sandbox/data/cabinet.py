"""What calls have put away beside the collections."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_nexus.sandbox.collection import Entry, Record, written


@dataclass
class Cabinet:
    """What calls have put away.

    :param store: settings of the document store; ``None`` where there is none
    :param files: contents of uploaded documents by path
    :param judged: hits of a screening that were judged, by (list, entity)
    """

    store: Record | None = field(
        default_factory=lambda: {
            "name": "files",
            "description": None,
            "documentStoreType": "AzureFileShare",
            "shareName": "documents",
            "maxFileSizeInMB": 10,
            "maxFileCount": 100,
        }
    )
    files: dict[str, bytes] = field(default_factory=dict)
    judged: dict[tuple[str, str], Record] = field(default_factory=dict)


def entry(key: str, record: Record, stamp: int = 0) -> Entry:
    """A stored record; its stamps are each a :class:`Moment`."""
    return Entry(str(record[key]), written(record), stamp)
