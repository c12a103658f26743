"""One call of the API: what it asks for, whether it changes something, and whether it may be sent twice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from airflow_provider_nexus.api.effects import changes_something
from airflow_provider_nexus.api.resources import RESOURCES, find_by_path
from airflow_provider_nexus.client.form import Form
from airflow_provider_nexus.client.headers import in_headers, is_personal, personal_forms
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.values import in_body, in_query, refuse_bare, refuse_twins
from airflow_provider_nexus.exceptions import NexusConfigurationError


@dataclass(frozen=True)
class Ask:
    """One thing to ask Nexus: a page of the collection, or one record.

    :param params: query of a page
    :param code: code of a record; empty for a page
    """

    params: Mapping[str, Any] | None = None
    code: str = ""


_WORDS = frozenset(
    word.lower() for resource in RESOURCES.values() for word in re.findall(r"(?<=/)[A-Za-z]+(?=/|$)", resource.path)
) | frozenset(
    """
    activate api broker brokerbuy brokersell buy cancel clawback file getdefault gift historic history intervals latest
    limits minutechart nonnativeaccount notifications paymentrequest payout payoutconfirming search sell sendinternal
    sendout sendtobucket sent simulate subintervals swap totals validatedentry
    """.split()  # noqa: SIM905 - a list of thirty quoted words reads worse
)
_PAYOUT = re.compile(r"/payout/?$", re.IGNORECASE)
_encode = msgspec.json.Encoder(decimal_format="number").encode
_MINUTE_CHART = re.compile(r"^/?api/minutechart/", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """A call before it is sent.

    A path whose parts can't all be names is refused, as it would lead elsewhere than it reads: ``.``, ``..``, an empty part.

    :param method: HTTP method in upper case
    :param path: path from the root, codes percent-encoded
    :param params: query; ``None`` values are left out, those of a list are sent one by one
    :param json: body
    :param api_version: the ``api_version`` header; by default what the catalogue says of the path, else 1.2
    :param headers: headers of the user's own
    :param form: the body as a form, instead of ``json``
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    api_version: str | None = None
    headers: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Form | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str):
            raise NexusConfigurationError(
                f"the path is {self.path!r}, a {type(self.path).__name__}, and has to be text: nothing was sent"
            )
        parts = [unquote(part) for part in self._bare_path.removeprefix("/").split("/")]
        odd = next((part for part in parts if part in ("", ".", "..", "None")), None)
        if odd is not None and parts != [""]:
            missing = f"{'the part None' if odd else 'an empty part'}, as where a template has no value"
            what = f"the part {odd!r}, which leads to another path" if odd in (".", "..") else missing
            raise NexusConfigurationError(f"the path of {self.method} {self.label} has {what}: nothing was sent")
        if (self.json is not None or self.form) and self.method in ("GET", "HEAD"):
            raise NexusConfigurationError(f"a {self.method} of {self.label} takes no body: give the method that is meant")
        refuse_bare(self.json)
        if "#" in self.path:
            raise NexusConfigurationError(f"the path of {self.method} {self.label} has a #, which is never sent: write it as %23")
        if not isinstance(self.api_version or "", str) or not (self.api_version or "").isprintable():
            raise NexusConfigurationError(f"api_version is {self.api_version!r}, which no header can hold: nothing was sent")
        if not self.path.isprintable():
            raise NexusConfigurationError(
                f"the path of {self.method} {self.label} holds signs that no path has: nothing was sent"
            )
        in_headers(self.headers)

    @property
    def changes_something(self) -> bool:
        """Whether Nexus is another after the call."""
        return changes_something(self.method, self._bare_path, self._decoded_path)

    @property
    def is_repeatable(self) -> bool:
        """Whether a second copy does no harm: reads, simulations, deletions and setting a state; never a payout."""
        if not self.changes_something:
            return True
        return self.method == "DELETE" or (self.method == "PUT" and not _PAYOUT.search(self._decoded_path))

    @property
    def label(self) -> str:
        """The path for logs and errors: codes are blanked, as they can be personal data."""
        words = self._bare_path.strip("/").split("/")
        return "/" + "/".join(word if word.lower() in _WORDS else "{code}" for word in words) if words != [""] else "/"

    @property
    def version(self) -> str:
        """The value of the ``api_version`` header, docs/api_facts.rst, Headers."""
        if self.api_version:
            return self.api_version
        if _MINUTE_CHART.match(self._bare_path):
            return "1.0"
        resource = find_by_path(self._bare_path)
        return resource.api_version if resource else "1.2"

    @property
    def query(self) -> dict[str, str | list[str]]:
        """The query as text.

        :raises NexusConfigurationError: when it is none, holds a value that a query can't, or a name that the path has as well
        """
        query = in_query(self.params)
        in_path = dict.fromkeys(name for name, _ in parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        refuse_twins([*in_path, *query], "the query")
        return query

    @property
    def own_headers(self) -> dict[str, str]:
        """The headers of the user's own, and those that the call itself asks for."""
        kind = self.form.content_type if self.form else "application/json" if self.json is not None else ""
        return {"api_version": self.version, **in_headers(self.headers), **({"Content-Type": kind} if kind else {})}

    def hide(self, text: str) -> str:
        """What a server says, with what the headers tell of a person blanked: some servers repeat what they were sent."""
        personal = (value for name, value in in_headers(self.headers).items() if is_personal(name))
        for form in sorted({form for value in personal for form in personal_forms(value)}, key=len, reverse=True):
            text = re.sub(re.escape(form), "***", Secret(form).scrub(text), flags=re.IGNORECASE)
        return text

    @property
    def body(self) -> bytes | None:
        """The form, or the body as JSON text: a ``Decimal`` with the digits that it has, times as Nexus writes them.

        :raises NexusConfigurationError: when it holds what JSON can't, a float, or a number for a code
        """
        if self.form or self.json is None:
            return self.form.content if self.form else None
        try:
            return _encode(in_body(self.json, "json"))
        except NexusConfigurationError:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            raise NexusConfigurationError(f"the body of {self.method} {self.label} can't be written as JSON: {error}") from None

    @property
    def _bare_path(self) -> str:
        """Without host, query and fragment; none of them tells one call from another, and a fragment is not even sent."""
        try:
            return urlsplit(self.path).path
        except ValueError:
            raise NexusConfigurationError("that is no path: it starts like a host that can't be read") from None

    @property
    def _decoded_path(self) -> str:
        """As the server reads it, so that no other spelling hides what a call does."""
        return normpath("/" + unquote(self._bare_path))
