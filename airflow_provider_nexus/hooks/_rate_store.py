"""The connection of type ``redis`` by which machines share a rate limit: fields and extras are those of Airflow's own hook."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_nexus.client.rate_store import RateStore
from airflow_provider_nexus.client.settings import TELLING, flag, whole
from airflow_provider_nexus.exceptions import NexusConfigurationError, hide_in_errors
from airflow_provider_nexus.hooks._connections import Given

_TYPES = ("redis", "rediss")
_PORT, _DATABASES = 6379, 65_535
_SEVERAL = re.compile("sentinel|cluster|master|startup_nodes", re.IGNORECASE)
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def store_of(conn_id: str, given: Given) -> RateStore:
    """What a connection of a Redis leads to. Its type is ``rediss`` where it was given as such a URL.

    :raises NexusConfigurationError: when it is of another type, or leads to no Redis that stands alone
    """
    where = f"connection {conn_id!r}, by which the rate limit is shared,"
    if given.conn_type not in _TYPES:
        raise NexusConfigurationError(f"{where} is of type {given.conn_type!r}: give one of type 'redis'")
    host, extra = (given.host or "").strip(), _extra(where, given)
    if several := [f"the extra {name!r}" for name in extra if _SEVERAL.search(name)] + ["several hosts"] * ("," in host):
        hint = "as a Redis Cluster or Sentinel has: give one Redis that stands alone"
        raise NexusConfigurationError(f"{where} has {several[0]}, {hint}")
    if not host or re.search(r"[\s/@]", host):  # such a text may be a URL with a password
        raise NexusConfigurationError(f"{where} has no machine as its host: give the bare name or address of the Redis")
    if given.password.matches(TELLING):
        hide_in_errors(given.password)
    return RateStore(
        conn_id=conn_id,
        host=host.strip("[]"),
        port=given.port or _PORT,
        db=_database(where, given, extra),
        user=given.login.reveal(),
        password=given.password,
        tls=_tls(where, extra, is_needed=given.conn_type == "rediss"),
    )


def _extra(where: str, given: Given) -> dict[str, Any]:
    """The members of the extra without nulls and blanks; those that nobody reads here are left alone."""
    try:
        found: object = json.loads(given.extra.reveal())
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise NexusConfigurationError(f"{where} has an extra that is no JSON object: correct it, as in " + '{"db": 0}')
    return {name: value for name, value in found.items() if value is not None and str(value).strip()}


def _database(where: str, given: Given, extra: Mapping[str, Any]) -> int:
    """The number of the database: in the extra, as Airflow's hook has it, or in the path of a URL, as others have it."""
    places = {"the extra 'db'": extra.get("db"), "the schema": (given.schema or "").strip() or None}
    found = {whole(value, f"{where} {what}", 0, _DATABASES) for what, value in places.items() if value is not None}
    if len(found) > 1:
        raise NexusConfigurationError(f"{where} has one database in its extra 'db' and another one as its schema: leave one out")
    return found.pop() if found else 0


def _tls(where: str, extra: Mapping[str, Any], *, is_needed: bool) -> tuple[tuple[str, str | bool], ...] | None:
    """How certificates are checked: as the extra says, and else with all care."""
    if not (is_needed or flag(extra.get("ssl", False), f"{where} the extra 'ssl'")):
        return None
    needs = str(extra.get("ssl_cert_reqs", "required"))
    if needs not in ("required", "optional", "none"):
        raise NexusConfigurationError(f"{where} has {needs!r} as its extra 'ssl_cert_reqs': give required, optional or none")
    checks_name = needs != "none" and flag(extra.get("ssl_check_hostname", True), f"{where} the extra 'ssl_check_hostname'")
    files: dict[str, str | bool] = {name: str(extra[name]) for name in _TLS if name in extra}
    return tuple({"ssl_cert_reqs": needs, "ssl_check_hostname": checks_name, **files}.items())
