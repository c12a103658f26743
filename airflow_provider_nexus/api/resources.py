"""The catalogue: every Nexus resource with a known method and shape, from both API generations.

A new resource is one entry here and one schema: hook, operators, transfers, sandbox, command line and docs read it.
"""

from __future__ import annotations

import difflib
from types import MappingProxyType

from airflow_provider_nexus.api.children import CHILDREN
from airflow_provider_nexus.api.collections import COLLECTIONS
from airflow_provider_nexus.api.partner import REGISTERS
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.snapshots import SNAPSHOTS
from airflow_provider_nexus.exceptions import NexusUnknownResourceError

RESOURCES = MappingProxyType({resource.name: resource for resource in (*COLLECTIONS, *REGISTERS, *SNAPSHOTS, *CHILDREN)})
"""The catalogue: name -> resource. Of a resource ``name``, ``meaning``, ``path``, ``key``, ``parent``, ``is_windowed`` and
``mutable`` are public."""


def get_resource(name: str) -> Resource:
    """One entry of the catalogue.

    :raises NexusUnknownResourceError: when there is none of that name; the error names the nearest one
    """
    try:
        return RESOURCES[name]
    except (KeyError, TypeError):
        nearest = difflib.get_close_matches(str(name), RESOURCES, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(sorted(RESOURCES))}"
        raise NexusUnknownResourceError(f"unknown Nexus resource {name!r}: {hint}") from None


def find_by_path(path: str) -> Resource | None:
    """The resource whose collection or record a path is, without its query; ``None`` for any other path."""
    return next((resource for resource in RESOURCES.values() if resource.owns_path(path.partition("?")[0])), None)
