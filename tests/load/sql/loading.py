"""Rows of the sandbox, and loads of them, for the tests of copies in SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import TableAccount
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Reject, Sealed, Stored, TableRow
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sandbox import Sandbox
from tests.load.converting import converted
from tests.load.manifests import manifest_of

TABLE = "nexus_copy"
READ_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def copy_of(engine: Engine, resource: str = "transactions", **options: Any) -> SqlCopy:
    name = options.pop("name", TABLE)
    whose = {"environment": "test", "base_url": "https://testapi.quantoznexus.com"}
    return SqlCopy(engine, name, Table(get_resource(resource)), **{**whose, **options})


@cache
def truth(resource: str, transactions: int = 300) -> tuple[bytes, ...]:
    with Sandbox(transactions=transactions, customers=40, amounts="awkward") as sandbox:
        return tuple(sandbox.truth(resource))


def rows_of(raws: Iterable[bytes], resource: str = "transactions", read_at: datetime = READ_AT) -> list[TableRow]:
    return converted(get_resource(resource), raws, Origin(read_at, "created"))


def transaction(code: str, status: str = "Initiated", hour: int = 1, **members: Any) -> bytes:
    created = f"2026-01-01T{hour:02}:00:00Z"
    return msgspec.json.encode({"transactionCode": code, "status": status, "created": created, **members})


def small(*specs: tuple[str, str], read_at: datetime = READ_AT) -> list[TableRow]:
    """Rows by code and status."""
    return rows_of([transaction(code, status) for code, status in specs], read_at=read_at)


def sealed(rows: Iterable[TableRow], *, rejects: tuple[Reject, ...] = (), **changes: Any) -> Sealed:
    held = list(rows)
    content = hashlib.sha256(repr(sorted((row[0], row[3]) for row in held)).encode()).hexdigest()
    seal = Sealed(
        label="20260101T000000Z-20260102T000000Z",
        feed="created",
        read_at=max((row[1] for row in held), default=READ_AT),
        window=Window(START, END),
        verdict="proved",
        records=len(held),
        content=content,
        manifest=manifest_of(format="table"),
        account=TableAccount(Table(get_resource("transactions"))),
        rejects=rejects,
    )
    members = changes.pop("manifest", {})
    seal = replace(seal, **changes)
    return replace(seal, manifest=manifest_of(**{"format": "table", **members, **_told(seal)}))


def _told(seal: Sealed) -> dict[str, Any]:
    window = seal.window
    unique = seal.records + len(seal.rejects)
    return {
        "read_at": to_wire(seal.read_at),
        "read_by": f"{seal.feed} {window.label}" if window else seal.feed,
        "feed": seal.feed,
        "window": {"start": to_wire(window.start), "end": to_wire(window.end), "how": "arguments"} if window else None,
        "environment": "testapi.quantoznexus.com",
        "base_url": "https://testapi.quantoznexus.com",
        "records": seal.records,
        "days": [{"day": f"{START:%F}", "records": seal.records}] if seal.records else [],
        "proof": msgspec.to_builtins(Proof(Verdict(seal.verdict), "seek", 1, unique, unique, unique)),
    }


def load(copy: SqlCopy, rows: list[TableRow], scope: Window | None = None, **changes: Any) -> Stored:
    return copy.apply([rows], scope, lambda: sealed(rows, **changes))


def later(hours: int) -> datetime:
    return READ_AT + timedelta(hours=hours)


def dump(engine: Engine, name: str = TABLE) -> list[tuple[Any, ...]]:
    """All rows, as the database gives them."""
    with engine.connect() as connection:
        return sorted((tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {name}"))), key=repr)


def stored(engine: Engine, copy: SqlCopy) -> list[tuple[Any, ...]]:
    """All rows, as the column types give them."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(copy.model.data).order_by("_key"))]
