"""How often tests repeat what has many orders, moments or servers."""

from __future__ import annotations

import os


def times(usual: int, all_of_them: int) -> int:
    """How often.

    :param usual: in a run of all tests
    :param all_of_them: with ``NEXUS_THOROUGH=1``, as ``make thorough`` runs them: what the documentation states was found by that
    """
    return all_of_them if os.environ.get("NEXUS_THOROUGH") else usual
