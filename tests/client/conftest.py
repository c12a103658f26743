from __future__ import annotations

import threading
import time

import pytest


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each wait of this thread, without the waiting."""
    made: list[float] = []
    sleep, here = time.sleep, threading.get_ident()
    monkeypatch.setattr(time, "sleep", lambda seconds: made.append(seconds) if threading.get_ident() == here else sleep(seconds))
    return made
