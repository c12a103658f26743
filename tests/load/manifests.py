"""A whole manifest for tests, made of nothing but defaults and what a test gives."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_nexus.load.manifest import Manifest

NOTHING = "sha256-sum:" + "0" * 64
WHOLE: dict[str, Any] = {
    "manifest_version": 1,
    "provider_version": "0.1.0",
    "airflow_version": "",
    "environment": "testapi.quantoznexus.com",
    "base_url": "https://testapi.quantoznexus.com",
    "resource": "transactions",
    "feed": "created",
    "format": "jsonl",
    "read_at": "2026-01-03T00:00:00Z",
    "read_by": "created 20260101T000000Z-20260102T000000Z",
    "server_date": "2026-01-03T00:00:01Z",
    "request": {},
    "run": {},
    "pages": 1,
    "calls": 2,
    "seconds": 0.5,
    "protected": {},
    "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "how": "arguments"},
    "proof": {
        "verdict": "proved",
        "strategy": "seek",
        "readings": 1,
        "total_first": 0,
        "total_last": 0,
        "unique": 0,
        "outside": 0,
        "totals": "none",
        "reasons": [],
        "agreeing": 1,
    },
    "records": 0,
    "rejected": [],
    "first": None,
    "last": None,
    "key_digest": NOTHING,
    "sums": {},
    "days": [],
    "schema": {"fingerprint": f"sha256:{hashlib.sha256().hexdigest()}", "fields": [], "unknown_fields": []},
}


def manifest_of(**members: Any) -> Manifest:
    """The manifest with some members as given."""
    return Manifest.read({**WHOLE, **members}, "a test")
