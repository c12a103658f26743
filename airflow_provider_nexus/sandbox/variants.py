"""Shapes that no source has seen on the wire: as they are declared, or as the setting ``other_shapes`` wants them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.data.vocabulary import COUNTRIES

Shown = dict[str, Any]


def reshaped(name: str, record: Shown, other_shapes: Collection[str]) -> Shown:
    """A record of a resource in the shapes asked for; one that has them already stays as it is."""
    if not other_shapes:
        return record
    if name == "banks":
        return _bank(record, other_shapes)
    if name == "customer_bank_accounts" and record.get("bank"):
        record["bank"] = _bank(record["bank"], other_shapes)
    if name == "documents" and "document_names" in other_shapes and record.get("documentStoreType"):
        record["documentStoreType"] = {key[:1].lower() + key[1:]: held for key, held in record["documentStoreType"].items()}
    return record


def _bank(bank: Shown, other_shapes: Collection[str]) -> Shown:
    shown = dict(bank)
    country, key = bank.get("country"), bank.get("id")
    if "bank_country" in other_shapes and isinstance(country, str):
        shown["country"] = {"code": country, "name": dict(COUNTRIES).get(country)}
    if "bank_id" in other_shapes and isinstance(key, str):
        shown["id"] = (codes.guid_row(key) or 0) + 1
    return shown
