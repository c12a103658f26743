"""A Singer tap on singer-sdk, whose messages nobody reads: what a target does with them is not measured."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BasePageNumberPaginator


def tap(url: str, page_size: int) -> Callable[[], int]:
    """All records as messages."""
    found = requests.get(f"{url}/transactions/custodian", params={"limit": "1"}, timeout=30).json()["values"]["records"][0]
    seen = 0

    class Pages(BasePageNumberPaginator):
        def has_more(self, response: Any) -> bool:
            values = response.json()["values"]
            return bool(values["page"] < values["totalPages"])

    class Transactions(RESTStream):
        name = "transactions"
        path = "/transactions/custodian"
        url_base = url
        primary_keys = ("transactionCode",)
        records_jsonpath = "$.values.records[*]"
        schema = _schema(found)

        def get_new_paginator(self) -> Any:
            return Pages(1)

        def get_url_params(self, context: Any, next_page_token: Any) -> dict[str, Any]:  # noqa: ARG002 - singer-sdk gives it
            return {"page": next_page_token or 1, "limit": page_size}

        def get_records(self, context: Any) -> Iterable[Any]:
            nonlocal seen
            for record in super().get_records(context):
                seen += 1
                yield record

    class Nexus(Tap):
        name = "tap-nexus"
        config_jsonschema = th.PropertiesList().to_dict()

        def discover_streams(self) -> list[Any]:
            return [Transactions(self)]

    def work() -> int:
        nonlocal seen
        seen = 0
        # singer-sdk writes to the file beneath, so that is what is changed
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123 - as text, like standard output
            sys.stdout = nowhere
            Nexus(config={}).sync_all()
        return seen

    return work


def _schema(record: dict[str, Any]) -> dict[str, Any]:
    return th.PropertiesList(*_properties(record)).to_dict()


def _properties(record: dict[str, Any]) -> Iterable[Any]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield th.Property(name, th.ObjectType(*_properties(value)))
        elif name == "created":
            yield th.Property(name, th.DateTimeType)
        else:
            yield th.Property(name, th.NumberType if isinstance(value, int | float) else th.StringType)
