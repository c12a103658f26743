"""Calls whose method says otherwise than what they do: a GET that changes something, POSTs that change nothing."""

from __future__ import annotations

import re

_TRADES = (
    "buy/broker",
    "sell/broker",
    "brokerbuy",
    "paymentrequest/brokersell",
    "buy/custodian",
    "sell/custodian",
    "gift/custodian",
    "sendinternal/custodian",
    "sendout/custodian",
    "swap/custodian",
    "paymentrequest/custodian",
)
"""Calls that make a trade and have a twin that only works it out."""

POSTS_THAT_READ = frozenset({*(f"/{trade}/simulate" for trade in _TRADES), "/sanction/search"})
"""POSTs that change nothing: they may be repeated, and need no right to write."""

_ACTIVATION = re.compile(r"/accounts/activate/[^/]+/?$", re.IGNORECASE)


def changes_something(method: str, path: str, decoded: str) -> bool:
    """Whether Nexus is another after a call.

    :param method: HTTP method in upper case
    :param path: path as it is sent, without its query. No other spelling of a POST counts as one that reads
    :param decoded: path as the server reads it, so that no other spelling hides what a GET does
    """
    if method in ("GET", "HEAD"):
        return bool(_ACTIVATION.search(decoded))
    return not (method == "POST" and f"/{path.removeprefix('/').lower()}" in POSTS_THAT_READ)
