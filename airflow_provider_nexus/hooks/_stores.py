"""Object stores of Airflow's connections, as deltalake opens them: each field of a connection in the library's words.

What a connection says and the library can't follow is refused: a table that is written with other rights than asked for would
show nowhere. A connection that is not there, or has a field that can't be followed, raises :class:`NexusConfigurationError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import defined

if TYPE_CHECKING:
    from airflow.sdk import Connection, ObjectStoragePath

    from airflow_provider_nexus.load.delta.copy import DeltaCopy


def delta_options(folder: ObjectStoragePath) -> dict[str, str]:
    """What deltalake needs to open a folder.

    Without a connection the library finds credentials by itself: those of the environment, or of the machine's role.

    :param folder: opened by the connection, if it has one
    """
    if store.is_local(folder):
        return {}
    kind = _KINDS.get(str(folder.protocol))
    # Airflow 3.1 has it among the options of the path
    conn_id = getattr(folder, "conn_id", None) or folder.storage_options.get("conn_id")
    if kind is None or conn_id is None:
        return _SAFE if kind is s3_options else {}
    with defined(conn_id):
        connection = BaseHook.get_connection(conn_id)
    return kind(connection)


def delta_table(folder: ObjectStoragePath) -> DeltaCopy:
    """The copy in a Delta table that a sync has made, opened by the connection of its folder."""
    from airflow_provider_nexus.load.delta.found import open_table

    return open_table(folder, delta_options(folder))


_SAFE = {"aws_conditional_put": "etag"}
"""A commit is put only where there is none yet, so that of two writers one is refused."""
_AZURE = "core.windows.net"
"""Where accounts of Azure are that no other place is said of."""


def s3_options(connection: Connection) -> dict[str, str]:
    """Those of S3. Roles are assumed by Airflow's own hook; what it finds is valid for an hour most often, and for one load."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook(aws_conn_id=connection.conn_id)
    config: Any = hook.conn_config
    for name in ("config_kwargs", "service_config"):
        if config.extra_config.get(name, {}).get("s3" if name == "service_config" else "proxies"):
            raise _refusal(connection, name)
    endpoint = config.get_service_endpoint_url(service_name="s3")
    session = hook.get_session()
    found: Any = session.get_credentials()
    options = dict(_SAFE)
    if found is not None:
        keys = found.get_frozen_credentials()
        options |= {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
        options |= {"aws_session_token": keys.token} if keys.token else {}
    if region := session.region_name or config.region_name:
        options["aws_region"] = region
    if endpoint:
        options |= {"aws_endpoint_url": endpoint}
        options |= {"aws_allow_http": "true"} if endpoint.startswith("http://") else {}
    if config.verify is not None and config.verify is not True:
        raise _refusal(connection, "verify")
    return options


def gcs_options(connection: Connection) -> dict[str, str]:
    """Those of Google Cloud Storage: a key in a file or in the connection, or what the machine has."""
    extra = _extra(connection)
    _refuse_others(connection, extra, {"key_path", "keyfile_dict", "project", "scope", "num_retries"})
    if path := extra.get("key_path"):
        return {"google_service_account": str(path)}
    if key := extra.get("keyfile_dict"):
        return {"google_service_account_key": key if isinstance(key, str) else json.dumps(key)}
    return {}


def azure_options(connection: Connection) -> dict[str, str]:
    """Those of Azure: a connection string, a key, a shared access signature, or a client with its secret."""
    extra = _extra(connection)
    known = {"connection_string", "sas_token", "tenant_id", "account_name", "account_key", "account_url"}
    _refuse_others(connection, extra, known)
    if text := extra.get("connection_string"):
        return _of_a_connection_string(connection, str(text))
    where = str(extra.get("account_url") or connection.host or "").removeprefix("https://").rstrip("/")
    host, _, domain = where.partition(".")
    account = extra.get("account_name") or host or connection.login or ""
    options = {"azure_storage_account_name": str(account)}
    if domain and not domain.endswith(_AZURE):
        options["azure_storage_endpoint"] = f"https://{where}"
    if sas := extra.get("sas_token"):
        return options | {"azure_storage_sas_token": str(sas)}
    if tenant := extra.get("tenant_id"):
        client = {"azure_storage_client_id": connection.login or "", "azure_storage_client_secret": connection.password or ""}
        return options | client | {"azure_storage_tenant_id": str(tenant)}
    key = extra.get("account_key") or connection.password
    return options | ({"azure_storage_account_key": str(key)} if key else {})


def _of_a_connection_string(connection: Connection, text: str) -> dict[str, str]:
    """Those of a connection string, whose names may be written in any case. Places of other services don't matter."""
    parts = {name.strip().lower(): value.strip() for name, _, value in (each.partition("=") for each in text.split(";") if each)}
    for other in ("file", "queue", "table"):
        parts = {name: value for name, value in parts.items() if name not in (f"{other}endpoint", f"{other}secondaryendpoint")}
    named = {"accountname": "account_name", "accountkey": "account_key", "sharedaccesssignature": "sas_token"}
    options = {f"azure_storage_{ours}": parts.pop(theirs).removeprefix("?") for theirs, ours in named.items() if theirs in parts}
    scheme, suffix = parts.pop("defaultendpointsprotocol", "https").lower(), parts.pop("endpointsuffix", _AZURE)
    place = parts.pop("blobendpoint", "").rstrip("/")
    if not place and (suffix != _AZURE or scheme != "https"):
        place = f"{scheme}://{options.get('azure_storage_account_name', '')}.blob.{suffix}"
    if parts:
        raise _refusal(connection, f"{', '.join(sorted(parts))} in its connection_string")
    if place:
        name = place.partition("://")[2].partition(".")[0]
        options = {"azure_storage_account_name": name, **options, "azure_storage_endpoint": place}
    return options | ({"azure_allow_http": "true"} if place.startswith("http://") else {})


def _extra(connection: Connection) -> dict[str, Any]:
    """The extra fields that have a value; older connections have them with a prefix."""
    prefix = f"extra__{connection.conn_type}__"
    return {name.removeprefix(prefix): value for name, value in connection.extra_dejson.items() if value not in (None, "", {})}


def _refuse_others(connection: Connection, extra: Mapping[str, Any], known: set[str]) -> None:
    if others := sorted(extra.keys() - known):
        raise _refusal(connection, ", ".join(others))


def _refusal(connection: Connection, name: str) -> NexusConfigurationError:
    return NexusConfigurationError(
        f"connection {connection.conn_id!r} sets {name}, which deltalake can't follow: name another storage_conn_id, or use "
        "file_format='parquet'"
    )


_KINDS: dict[str, Callable[[Connection], dict[str, str]]] = {
    **dict.fromkeys(("s3", "s3a"), s3_options),
    **dict.fromkeys(("gs", "gcs"), gcs_options),
    **dict.fromkeys(("abfs", "abfss", "adl", "az", "wasb", "wasbs"), azure_options),
}
