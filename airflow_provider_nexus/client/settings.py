"""Settings of a connection, read tolerantly: nulls, blanks and texts from forms and URIs count as what they are.

Anything else is refused by a :class:`NexusConfigurationError`, in which ``what`` is what it is called.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from string import Formatter
from typing import Any
from urllib.parse import quote

from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.environments import Environment, is_loopback, resolve, split_link
from airflow_provider_nexus.api.records import NUMBER
from airflow_provider_nexus.api.resource import words
from airflow_provider_nexus.client.expiry import WARNING_DAYS, Expiry, expiry_of
from airflow_provider_nexus.client.rate_store import RateStore
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.exceptions import NexusConfigurationError, hide_in_errors

EXTRAS = words(
    """
    environment allow_writes key_expires key_warning_days timeout retries rate_limit rate_limit_conn_id max_answer_mb portal_url
    hash_secret
    """
)
"""The keys that the extra of a connection may have.

Airflow masks the values of those whose name has ``token`` or ``api_key`` wherever they appear: none that is no secret may.
"""

TIMEOUT, RETRIES = (1, 600), (0, 10)
"""Seconds to wait for the next piece of an answer, and attempts after the first: the least and the most."""

_SECRET_LENGTH = 16
TELLING = re.compile(".{8,}", re.DOTALL)
"""What a secret is like that no word of ours contains by chance."""
_HASH_SECRET = re.compile(f".{{{_SECRET_LENGTH},}}", re.DOTALL)
_TOKEN = re.compile("[!-~]+")
_OPEN = frozenset(EXTRAS) - {"hash_secret"}
_NOTHING = Secret("{}")
_PLACES, _EXAMPLE = ("resource", "code"), "https://portal.example.com/{resource}/{code}"
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class ClientSettings:
    """One connection, read and checked.

    :param allow_writes: whether calls that change something may be sent
    :param timeout: seconds without a byte after which an answer is given up; the whole of it has four times as long
    :param rate_limit: calls a second that all tasks of a machine make together; ``None`` for no limit
    :param rate_limit_conn_id: the connection of Airflow that leads to where machines share the limit; empty for none
    :param max_answer_mb: million bytes that one answer may have, packed and unpacked
    :param portal_url: what addresses of the portal look like, with ``{resource}`` and ``{code}``; empty when not known
    :param hash_secret: the key that personal data is hashed with; empty for none
    :param expiry: when the token ends; ``None`` when nothing states it
    :param rate_limit_store: that connection, read; ``None`` where there is none, or where it has not been read yet
    """

    environment: Environment
    token: Secret
    allow_writes: bool = False
    timeout: float = 30.0
    retries: int = 5
    portal_url: str = ""
    rate_limit: float | None = None
    rate_limit_conn_id: str = ""
    max_answer_mb: int = 64
    hash_secret: Secret = field(default=Secret(""))
    expiry: Expiry | None = None
    rate_limit_store: RateStore | None = None

    def renewed_by(self, found: ClientSettings) -> ClientSettings | None:
        """These settings with the token of the same connection as it is by now; ``None`` when that brings no other token.

        All else stays, so that one piece of work is done in one way, but that no change is made that was forbidden meanwhile.
        A token for another place does not count.
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

    :param schema: ``https``, or ``http`` for this machine, where the host does not state it
    :param has_login: whether the connection has a login; its text is not passed, as it may be the token
    :param extra: JSON text of an object, as Airflow stores it, or the object
    """
    token = Secret(token) if isinstance(token, str) else token
    extra = Secret(extra) if isinstance(extra, str) else extra
    if has_login:  # Nexus knows a Service Account by its key alone, and the key may have been put there
        hint = "leave it empty" if token else "put the API token in the password field, and leave the login empty"
        raise NexusConfigurationError(f"connection {conn_id!r} has a login, which Nexus has no use for: {hint}")
    given = _read(extra)
    del extra  # a mapping can contain a secret, and tracebacks can show the locals of a frame
    if given is None:
        raise NexusConfigurationError(
            f"the extra of connection {conn_id!r} is no JSON object with each name once: correct it, as in "
            '{"environment": "production"}'
        )
    for name in given:
        if name not in EXTRAS:
            raise NexusConfigurationError(f"connection {conn_id!r} has an unknown extra {name!r}: {did_you_mean(name, EXTRAS)}")
    environment = resolve(str(given["environment"]) if "environment" in given else None, *_address(host, port, schema, conn_id))
    settings = ClientSettings(
        environment=environment,
        token=(key := _token(token, conn_id)),
        allow_writes=flag(given.get("allow_writes", False), "the extra 'allow_writes'"),
        timeout=number(given.get("timeout", 30.0), "the extra 'timeout'", *TIMEOUT),
        retries=whole(given.get("retries", 5), "the extra 'retries'", *RETRIES),
        portal_url=check_template(str(given.get("portal_url", "")).strip()),
        rate_limit=number(given["rate_limit"], "the extra 'rate_limit'", 0.1, 1000) if "rate_limit" in given else None,
        rate_limit_conn_id=_conn_id(given),
        max_answer_mb=whole(given.get("max_answer_mb", 64), "the extra 'max_answer_mb'", 1, 1024),
        hash_secret=_secret(given),
        expiry=_expiry(given, key),
    )
    for secret in (settings.token, settings.hash_secret):
        if secret.matches(TELLING):
            hide_in_errors(secret)
    return settings


def _address(host: str | None, port: int | None, schema: str | None, conn_id: str) -> tuple[str | None, int | None]:
    """Host and port, the schema as the host's scheme: connections of type ``http`` have it in a field of its own."""
    host, schema = (host or "").strip(), (schema or "").strip()
    if schema and schema.lower() not in ("http", "https"):
        # without the value, which may be anything, such as the path of a URL
        raise NexusConfigurationError(
            f"connection {conn_id!r} has something in the field schema that is neither http nor https: leave it empty, and give "
            "the whole base URL as the host"
        )
    if given := next((name for name, value in (("port", port), ("schema", schema)) if value and not host), ""):
        hint = "give the host as well, or leave it empty to call the environment"
        raise NexusConfigurationError(f"connection {conn_id!r} has a {given} and no host: {hint}")
    if schema and "://" in host and not host.lower().startswith(f"{schema.lower()}://"):
        hint = "leave the schema empty"
        raise NexusConfigurationError(f"connection {conn_id!r} has the schema {schema!r}, and its host begins otherwise: {hint}")
    return (f"{schema.lower()}://{host}" if schema and "://" not in host else host) or None, port or None


def _read(extra: Secret | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The members of an extra without nulls and blanks; ``None`` when it is no JSON object.

    Such an extra is refused: its members would go by defaults, production by test. Its text can have secrets and is not shown.
    Values that are not known to be public are put out of sight; one that is no text is as good as none.
    """
    found: object = extra
    if isinstance(extra, Secret | None):
        try:
            found = json.loads((extra or _NOTHING).reveal(), object_pairs_hook=_each_once)
        except ValueError:
            return None
    if not isinstance(found, Mapping):
        return None
    return {
        key: value if key in _OPEN else Secret(value if isinstance(value, str) else "")
        for key, value in found.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _token(token: Secret | None, conn_id: str) -> Secret:
    if not token:
        hint = "put the Service Account's API key in the password field"
        raise NexusConfigurationError(f"connection {conn_id!r} has no API token: {hint}")
    if not token.matches(_TOKEN):
        raise NexusConfigurationError(
            f"the API token of connection {conn_id!r} has blanks, line breaks or characters that no token has"
        )
    return token


def check_template(template: str) -> str:
    """The template of the addresses of records in the Nexus portal, if it can be one; an empty one for none.

    The portal's paths are not documented, so the connection gives them: an https address without credentials.
    """
    if not template:
        return ""
    try:
        places = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template) if name is not None]
    except ValueError:
        raise NexusConfigurationError(f"the extra 'portal_url' has an odd brace: write it as in {_EXAMPLE}") from None
    for name, spec, conversion in places:
        if name not in _PLACES or spec or conversion:
            hint = "use {resource} and {code}, as they are"
            raise NexusConfigurationError(f"the extra 'portal_url' has an unknown placeholder {{{name}}}: {hint}")
    parts = split_link("the extra 'portal_url'", template, _EXAMPLE)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        hint = "use https (http is for this machine only)"
        raise NexusConfigurationError(f"the extra 'portal_url' starts with {parts.scheme!r}: {hint}")
    return template


def record_address(template: str, resource: str, code: str) -> str:
    """The address of one record: the template with both names in it, percent-encoded."""
    return template.format(resource=quote(resource, safe=""), code=quote(code, safe=""))


def _expiry(extra: Mapping[str, Any], key: Secret) -> Expiry | None:
    days = whole(extra.get("key_warning_days", WARNING_DAYS), "the extra 'key_warning_days'", 0, 3650)
    try:
        return expiry_of(key, str(extra.get("key_expires", "")).strip(), days)
    except ValueError:
        raise NexusConfigurationError(
            f"the extra 'key_expires' is {extra['key_expires']!r}: give the last day of the API key as in 2027-03-31, "
            "or the moment of its end as in 2027-03-31T12:00:00Z"
        ) from None


def _conn_id(extra: Mapping[str, Any]) -> str:
    found = extra.get("rate_limit_conn_id", "")
    if not isinstance(found, str) or "://" in found:  # a URL can have a password
        hint = "make one of type 'redis', and give its id"
        raise NexusConfigurationError(f"the extra 'rate_limit_conn_id' is no connection's id: {hint}")
    if found and "rate_limit" not in extra:
        raise NexusConfigurationError(
            f"the extra 'rate_limit_conn_id' is {found!r}, and there is no rate limit to share: give 'rate_limit' as well, the "
            "calls a second of all machines together"
        )
    return found.strip()


def _secret(extra: Mapping[str, Any]) -> Secret:
    secret: Secret | None = extra.get("hash_secret")
    if secret is not None and not secret.matches(_HASH_SECRET):
        raise NexusConfigurationError(
            f"the extra 'hash_secret' is no text or too short: give at least {_SECRET_LENGTH} characters that nobody can guess, "
            "such as what `openssl rand -hex 32` prints"
        )
    return secret or Secret("")


def flag(given: object, what: str) -> bool:
    """Yes or no, also as text."""
    text = str(given).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise NexusConfigurationError(f"{what} is {given!r}: give true or false")
    return text in _TRUE


def whole(given: object, what: str, low: int, high: int) -> int:
    """A whole number within the bounds, also as text."""
    found = number(given, what, low, high)
    if found != int(found):
        raise NexusConfigurationError(f"{what} is {given!r}: give a whole number")
    return int(found)


def number(given: object, what: str, low: float, high: float) -> float:
    """A number within the bounds, also as text."""
    try:
        is_odd = isinstance(given, bool | bytes | bytearray) or (isinstance(given, str) and not NUMBER.fullmatch(given.strip()))
        found = math.nan if is_odd else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not low <= found <= high:
        raise NexusConfigurationError(f"{what} is {given!r}: give a number from {low:g} to {high:g}")
    return found
