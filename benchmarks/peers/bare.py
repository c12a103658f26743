"""The loop that one would write by hand: it follows page numbers, decodes each page, and stores and checks nothing."""

from __future__ import annotations

from collections.abc import Callable

import requests


def loop(url: str, page_size: int) -> Callable[[], int]:
    """Pages through `requests`, decoded by `.json()`."""

    def work() -> int:
        seen, page = 0, 1
        with requests.Session() as session:
            while True:
                query = {"page": str(page), "limit": str(page_size)}
                values = session.get(f"{url}/transactions/custodian", params=query, timeout=30).json()["values"]
                seen += len(values["records"])
                if page >= values["totalPages"]:
                    return seen
                page += 1

    return work
