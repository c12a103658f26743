"""A client of its own: the package's client must not help the sandbox look right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import requests

from airflow_provider_nexus.sandbox import Sandbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class Page(msgspec.Struct, rename="camel"):
    page: int
    total: int
    total_pages: int
    filtering_parameters: dict[str, str]
    records: list[msgspec.Raw]


class Envelope(msgspec.Struct):
    message: str | None
    errors: list[str] | None
    values: Page


@dataclass
class Client:
    sandbox: Sandbox
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers.update({"Authorization": f"Bearer {self.sandbox.token}", "request_iso8601": "true"})

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.sandbox.base_url + path, timeout=60, allow_redirects=False, **options)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.call("GET", path, params=query)

    def values(self, path: str, **query: Any) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return decoded(answer.content)["values"]

    def post(self, path: str, **body: Any) -> requests.Response:
        return self.call("POST", path, json=body)

    def put(self, path: str, **body: Any) -> requests.Response:
        return self.call("PUT", path, json=body)

    def page(self, path: str, **query: Any) -> Page:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=Envelope).values

    def read_all(self, path: str, **query: Any) -> list[bytes]:
        """Page by page, as plain clients do."""
        held: list[bytes] = []
        number = 1
        while True:
            page = self.page(path, page=number, **query)
            held += [bytes(record) for record in page.records]
            if number >= page.total_pages:
                return held
            number += 1


def decoded(text: bytes | str) -> Any:
    return _DECODER.decode(text)


Make = Callable[..., Client]


@pytest.fixture
def make() -> Iterator[Make]:
    """Sandboxes to order: small, standing still at a fixed moment, and closed at the end."""
    with ExitStack() as stack:

        def build(**settings: Any) -> Client:
            defaults: dict[str, Any] = {
                "seed": 7,
                "customers": 40,
                "transactions": 600,
                "now": NOW,
                "clock_speed": 0,
                "amounts": "awkward",
            }
            client = Client(stack.enter_context(Sandbox(**{**defaults, **settings})))
            stack.callback(client.session.close)
            return client

        yield build


@pytest.fixture
def client(make: Make) -> Client:
    return make()


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """One sandbox for tests that only read."""
    with Sandbox(seed=7, customers=60, transactions=1200, now=NOW, clock_speed=0, amounts="awkward") as sandbox:
        yield Client(sandbox)
