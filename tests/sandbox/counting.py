"""Work in function calls, which are as many on a busy machine as on an idle one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Work:
    """Function calls so far, of this thread and of those that were started since."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _frame: Any, event: str, _argument: Any) -> None:
        self.calls += event in ("call", "c_call")


@contextmanager
def counted() -> Iterator[Work]:
    """Count until the block ends; threads that were started in it are counted until they end."""
    work, before = Work(), sys.getprofile()
    threading.setprofile(work)
    sys.setprofile(work)
    try:
        yield work
    finally:
        sys.setprofile(before)
        threading.setprofile(before)
