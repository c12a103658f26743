"""What a route is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_nexus.sandbox.call import Answer, Call
from airflow_provider_nexus.sandbox.data.world import World

Handler = Callable[[World, Call], Answer]
"""Answers a call, or raises ``Refusal``."""


@dataclass(frozen=True)
class Route:
    """One endpoint.

    :param path: template; placeholders match one piece of a path
    :param surface: generations that it was seen in
    :param writes: whether it changes something, and so takes the role ``write``
    """

    method: str
    path: str
    handler: Handler
    surface: str = "AB"
    writes: bool = False
