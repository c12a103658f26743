"""Texts that commands print, stored beside the tests. `NEXUS_RENEW_TEXTS=1` stores them anew."""

from __future__ import annotations

import os
from pathlib import Path

TEXTS = Path(__file__).parent / "texts"


def compare(name: str, text: str) -> None:
    """Compare a text with the one that is stored under a name.

    :param name: of the file
    :param text: what was printed, with a sign in place of all that is another each time
    """
    path = TEXTS / name
    if os.environ.get("NEXUS_RENEW_TEXTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name}: if it is to be so, run this test with NEXUS_RENEW_TEXTS=1"
