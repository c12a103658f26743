"""What HTTP libraries log of a call is left out: whole addresses, with the codes in them, and what a server repeats."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOGS = "httpx", "httpcore.http11", "urllib3.connection"
_OF_HEADERS = "receive_response_headers.complete", "receive_response_headers.failed", "Failed to parse headers"
_calling: ContextVar[bool] = ContextVar("nexus_is_calling", default=False)


class _Unseen(logging.Filter):
    """Leaves out what would tell of our calls; what is logged of those of others is theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (_calling.get() and (record.name == "httpx" or record.getMessage().startswith(_OF_HEADERS)))


_UNSEEN = _Unseen()


@contextmanager
def unlogged() -> Iterator[None]:
    """Make a call in the block that no HTTP library logs."""
    for name in _LOGS:
        logging.getLogger(name).addFilter(_UNSEEN)  # the same filter is added once
    before = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(before)
