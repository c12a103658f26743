"""The catalogue: every Nexus resource with a known method and shape, from both API generations, and calls that change nothing.

A new resource is one entry here and one schema: hook, operators, transfers, sandbox, command line and docs read it.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from airflow_provider_nexus.api.children import CHILDREN
from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.collections import COLLECTIONS, SNAPSHOTS
from airflow_provider_nexus.api.resource import Resource, words
from airflow_provider_nexus.exceptions import NexusUnknownResourceError

RESOURCES = MappingProxyType({resource.name: resource for resource in (*COLLECTIONS, *SNAPSHOTS, *CHILDREN)})
"""The catalogue: name -> resource. Of a resource ``name``, ``meaning``, ``path``, ``key``, ``parent``, ``is_windowed`` and
``mutable`` are public."""

_TRADES = words(
    "buy/broker sell/broker brokerbuy paymentrequest/brokersell buy/custodian sell/custodian gift/custodian "
    "sendinternal/custodian sendout/custodian swap/custodian paymentrequest/custodian"
)
"""Calls that make a trade and have a twin that only works it out."""

POSTS_THAT_READ = frozenset({*(f"/{trade}/simulate" for trade in _TRADES), "/sanction/search"})
"""POSTs that change nothing: they may be repeated, and need no right to write."""

_ACTIVATION = re.compile(r"/accounts/activate/[^/]+/?$", re.IGNORECASE)


def get_resource(name: str) -> Resource:
    """One entry of the catalogue.

    :raises NexusUnknownResourceError: when there is none of that name; the error names the nearest one
    """
    try:
        return RESOURCES[name]
    except (KeyError, TypeError):
        raise NexusUnknownResourceError(f"unknown Nexus resource {name!r}: {did_you_mean(name, sorted(RESOURCES))}") from None


def find_by_path(path: str) -> Resource | None:
    """The resource whose collection or record a path is, without its query; ``None`` for any other path."""
    return next((resource for resource in RESOURCES.values() if resource.owns_path(path.partition("?")[0])), None)


def changes_something(method: str, path: str, decoded: str) -> bool:
    """Whether Nexus is another after a call. The method alone does not show it: a GET activates an account, some POSTs only read.

    :param path: path as it is sent, without its query. No other spelling of a POST counts as one that reads
    :param decoded: path as the server reads it, so that no other spelling hides what a GET does
    """
    if method in ("GET", "HEAD"):
        return bool(_ACTIVATION.search(decoded))
    return not (method == "POST" and f"/{path.removeprefix('/').lower()}" in POSTS_THAT_READ)
