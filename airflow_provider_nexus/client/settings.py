"""What a connection says, read tolerantly: nulls, blanks and texts from forms and URIs count as what they are."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_nexus.api.environments import Environment, resolve
from airflow_provider_nexus.client.expiry import WARNING_DAYS, Expiry, expiry_of
from airflow_provider_nexus.client.portal import check_template
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.exceptions import NexusConfigurationError, keep_out

EXTRAS = (
    "environment",
    "allow_writes",
    "key_expires",
    "key_warning_days",
    "timeout",
    "retries",
    "rate_limit",
    "max_answer_mb",
    "portal_url",
    "hash_secret",
)
"""The keys that the extra of a connection may hold.

Airflow masks the values of those whose name holds ``token`` or ``api_key`` wherever they appear: none that is no secret may.
"""

TIMEOUT, RETRIES = (1, 600), (0, 10)
"""Seconds to wait for the next piece of an answer, and attempts after the first: the least and the most."""

_SECRET_LENGTH = 16
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_TELLING = re.compile(".{8,}", re.DOTALL)
"""A secret that no word of ours holds by chance."""
_HASH_SECRET = re.compile(f".{{{_SECRET_LENGTH},}}", re.DOTALL)
_TOKEN = re.compile("[!-~]+")
_OPEN = frozenset(EXTRAS) - {"hash_secret"}
_NOTHING = Secret("{}")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class ClientSettings:
    """One connection, understood.

    :param environment: where to call
    :param token: the API key
    :param allow_writes: whether calls that change something may be sent
    :param timeout: seconds without a byte after which an answer is given up; the whole of it has four times as long
    :param retries: attempts after the first
    :param rate_limit: calls a second that all tasks of a machine make together; ``None`` for no limit
    :param max_answer_mb: million bytes that one answer may have, packed and unpacked
    :param portal_url: what addresses of the portal look like, with ``{resource}`` and ``{code}``; empty when not known
    :param hash_secret: the key that personal data is hashed with; empty for none
    :param expiry: when the token ends; ``None`` when nothing says it
    """

    environment: Environment
    token: Secret
    allow_writes: bool = False
    timeout: float = 30.0
    retries: int = 5
    portal_url: str = ""
    rate_limit: float | None = None
    max_answer_mb: int = 64
    hash_secret: Secret = field(default=Secret(""))
    expiry: Expiry | None = None

    def renewed_by(self, found: ClientSettings) -> ClientSettings | None:
        """These settings with the token of the same connection as it is by now; ``None`` when that brings no other token.

        All else stays, so that one piece of work is done in one way, but that no change is made that was forbidden meanwhile.
        A token for another place does not count either.
        """
        if found.token == self.token or found.environment != self.environment:
            return None
        allow_writes = self.allow_writes and found.allow_writes
        return replace(self, token=found.token, expiry=found.expiry, allow_writes=allow_writes)


def read_settings(
    *,
    token: str | Secret | None,
    host: str | None = None,
    port: int | None = None,
    schema: str | None = None,
    has_login: bool = False,
    extra: str | Secret | Mapping[str, Any] | None = None,
    conn_id: str = "nexus_default",
) -> ClientSettings:
    """The settings of a connection.

    :param schema: ``https``, or ``http`` for this machine, where the host does not say it
    :param has_login: whether the connection has a login; what it is, is not told, as it may be the token
    :param extra: JSON text of an object, as Airflow keeps it, or the object

    :raises NexusConfigurationError: when the token is missing or can't be one, a key is unknown, or a value is not of its kind
    """
    token = Secret(token) if isinstance(token, str) else token
    extra = Secret(extra) if isinstance(extra, str) else extra
    _refuse_login(token, conn_id, has_login=has_login)
    given = _given(extra, conn_id)
    del extra  # a mapping can hold a secret, and tracebacks can show the locals of a frame
    _refuse_unknown(given, conn_id)
    environment = resolve(_text(given, "environment"), *_address(host, port, schema, conn_id))
    key = _token(token, conn_id)
    settings = ClientSettings(
        environment=environment,
        token=key,
        allow_writes=_flag(given, "allow_writes", default=False),
        timeout=number(given.get("timeout", 30.0), "the extra 'timeout'", *TIMEOUT),
        retries=whole(given.get("retries", 5), "the extra 'retries'", *RETRIES),
        portal_url=_portal(given),
        rate_limit=number(given["rate_limit"], "the extra 'rate_limit'", 0.1, 1000) if "rate_limit" in given else None,
        max_answer_mb=whole(given.get("max_answer_mb", 64), "the extra 'max_answer_mb'", 1, 1024),
        hash_secret=_secret(given),
        expiry=_expiry(given, key),
    )
    for secret in (settings.token, settings.hash_secret):
        if secret.matches(_TELLING):
            keep_out(secret)
    return settings


def _refuse_login(token: Secret | None, conn_id: str, *, has_login: bool) -> None:
    """Nexus knows a Service Account by its key alone, and who gives a login may have put the key there."""
    if has_login:
        hint = "leave it empty" if token else "put the API token in the password field, and leave the login empty"
        raise NexusConfigurationError(f"connection {conn_id!r} has a login, which Nexus has no use for: {hint}")


def _address(host: str | None, port: int | None, schema: str | None, conn_id: str) -> tuple[str | None, int | None]:
    """Host and port, the schema as the host's scheme: connections of type ``http`` have it in a field of its own."""
    host, schema = (host or "").strip(), (schema or "").strip()
    if schema and schema.lower() not in ("http", "https"):
        # without the value, which may be anything, such as the path of a URL
        raise NexusConfigurationError(
            f"connection {conn_id!r} has something in the field schema that is neither http nor https: leave it empty, and give "
            "the whole base URL as the host"
        )
    given = next((name for name, value in (("port", port), ("schema", schema)) if value and not host), "")
    if given:
        hint = "give the host as well, or leave it empty to call the environment"
        raise NexusConfigurationError(f"connection {conn_id!r} has a {given} and no host: {hint}")
    if schema and "://" in host and not host.lower().startswith(f"{schema.lower()}://"):
        raise NexusConfigurationError(
            f"connection {conn_id!r} has the schema {schema!r}, and its host begins otherwise: leave the schema empty"
        )
    return (f"{schema.lower()}://{host}" if schema and "://" not in host else host) or None, port or None


def _given(extra: Secret | Mapping[str, Any] | None, conn_id: str) -> dict[str, Any]:
    """What the extra says. One that can't be read is refused, as all that it says would go by defaults: production by test.

    The text itself is not told, as it can hold secrets; nor is the value of a name that is not known.
    """
    found = _read(extra)
    del extra
    if found is None:
        raise NexusConfigurationError(
            f"the extra of connection {conn_id!r} is no JSON object with each name once: correct it, as in "
            '{"environment": "production"}'
        )
    return found


def _read(extra: Secret | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What an extra says, nulls and blanks left out; ``None`` when it is no JSON object."""
    found: object = extra
    if isinstance(extra, Secret | None):
        try:
            found = json.loads((extra or _NOTHING).reveal(), object_pairs_hook=_each_once)
        except ValueError:
            return None
    if not isinstance(found, Mapping):
        return None
    return {key: value if key in _OPEN else _hidden(value) for key, value in found.items() if not _is_blank(value)}


def _hidden(value: Any) -> Secret:
    """A value out of sight; one that is no text is as good as none."""
    return Secret(value if isinstance(value, str) else "")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _refuse_unknown(extra: Mapping[str, Any], conn_id: str) -> None:
    for key in extra:
        if key not in EXTRAS:
            nearest = difflib.get_close_matches(key, EXTRAS, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(EXTRAS)}"
            raise NexusConfigurationError(f"connection {conn_id!r} has an unknown extra {key!r}: {hint}")


def _token(token: Secret | None, conn_id: str) -> Secret:
    if not token:
        raise NexusConfigurationError(
            f"connection {conn_id!r} has no API token: put the Service Account's API key in the password field"
        )
    if not token.matches(_TOKEN):
        raise NexusConfigurationError(
            f"the API token of connection {conn_id!r} holds blanks, line breaks or signs that no token has"
        )
    return token


def _text(extra: Mapping[str, Any], key: str) -> str | None:
    value = extra.get(key)
    return None if value is None else str(value)


def _portal(extra: Mapping[str, Any]) -> str:
    template = _text(extra, "portal_url")
    return check_template(template.strip()) if template else ""


def _expiry(extra: Mapping[str, Any], key: Secret) -> Expiry | None:
    days = whole(extra.get("key_warning_days", WARNING_DAYS), "the extra 'key_warning_days'", 0, 3650)
    try:
        return expiry_of(key, (_text(extra, "key_expires") or "").strip(), days)
    except ValueError:
        raise NexusConfigurationError(
            f"the extra 'key_expires' is {extra['key_expires']!r}: give the last day of the API key as in 2027-03-31, "
            "or the moment of its end as in 2027-03-31T12:00:00Z"
        ) from None


def _secret(extra: Mapping[str, Any]) -> Secret:
    secret: Secret | None = extra.get("hash_secret")
    if secret is not None and not secret.matches(_HASH_SECRET):
        raise NexusConfigurationError(
            f"the extra 'hash_secret' is no text or too short: give at least {_SECRET_LENGTH} characters that nobody can guess, "
            "such as what `openssl rand -hex 32` prints"
        )
    return secret or Secret("")


def _flag(extra: Mapping[str, Any], key: str, *, default: bool) -> bool:
    text = str(extra.get(key, default)).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise NexusConfigurationError(f"the extra {key!r} is {extra[key]!r}: give true or false")
    return text in _TRUE


def whole(given: object, what: str, low: int, high: int) -> int:
    """A whole number, also as text.

    :param what: what it is called, for the error
    :raises NexusConfigurationError: for anything else, or when it lies outside of the bounds
    """
    found = number(given, what, low, high)
    if found != int(found):
        raise NexusConfigurationError(f"{what} is {given!r}: give a whole number")
    return int(found)


def number(given: object, what: str, low: float, high: float) -> float:
    """A number, also as text.

    :param what: what it is called, for the error
    :raises NexusConfigurationError: for anything else, or when it lies outside of the bounds
    """
    try:
        is_odd = isinstance(given, bool | bytes | bytearray) or (isinstance(given, str) and not _NUMBER.fullmatch(given.strip()))
        found = math.nan if is_odd else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not low <= found <= high:
        raise NexusConfigurationError(f"{what} is {given!r}: give a number from {low:g} to {high:g}")
    return found
