"""One call of the API: method, path, query, body or form, whether it changes something, and whether it may be sent twice."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any, TypedDict
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from airflow_provider_nexus.api.codes import a_kind
from airflow_provider_nexus.api.resources import RESOURCES, changes_something, find_by_path
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.values import (
    as_text,
    in_body,
    in_headers,
    in_query,
    personal_forms,
    refuse_bare,
    refuse_number_for_code,
    refuse_twins,
)
from airflow_provider_nexus.exceptions import NexusConfigurationError


@dataclass(frozen=True)
class Ask:
    """One thing to ask Nexus: a page of the collection, or one record.

    :param params: query of a page
    :param code: code of a record; empty for a page
    """

    params: Mapping[str, Any] | None = None
    code: str = ""


class Options(TypedDict, total=False):
    """What a :class:`Call` can have beside its method and path, but a form."""

    params: Mapping[str, Any] | None
    json: Any
    api_version: str | None
    headers: Mapping[str, Any] | None


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
class Form:
    """A form as it is sent, the same at each attempt.

    :param content_type: with the boundary that parts its bytes
    :param fields: what goes with the file
    :param sha256: digest of the file
    """

    content: bytes = field(repr=False)
    content_type: str
    fields: Mapping[str, str] = field(repr=False)
    sha256: str


@dataclass(frozen=True)
class Call:
    """A call before it is sent.

    What would not arrive as it is meant is refused by a :class:`NexusConfigurationError`: a path whose parts can't all be names,
    as ``.``, ``..`` or an empty one would lead elsewhere than it reads, a float, a number for a code.

    :param method: HTTP method in upper case
    :param path: path from the root, codes percent-encoded
    :param params: query; ``None`` values are left out, those of a list are sent one by one
    :param api_version: the ``api_version`` header; by default the catalogue's for the path, else 1.2
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
            raise NexusConfigurationError(f"the path is {self.path!r}, {a_kind(self.path)}, and has to be text: nothing was sent")
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
            raise NexusConfigurationError(f"api_version is {self.api_version!r}, which no header can carry: nothing was sent")
        if not self.path.isprintable():
            raise NexusConfigurationError(
                f"the path of {self.method} {self.label} has characters that no path has: nothing was sent"
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
        """The query as text; no name in it is one that the path has as well."""
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
        """A text of a server with personal data of the headers blanked: some servers repeat what they were sent."""
        for form in personal_forms(in_headers(self.headers)):
            text = re.sub(re.escape(form), "***", Secret(form).scrub(text), flags=re.IGNORECASE)
        return text

    @property
    def body(self) -> bytes | None:
        """The form, or the body as JSON text: a ``Decimal`` with the digits that it has, times as Nexus writes them."""
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
        """Without host, query and fragment; none of them makes it another call, and a fragment is not even sent."""
        try:
            return urlsplit(self.path).path
        except ValueError:
            raise NexusConfigurationError("that is no path: it starts like a host that can't be read") from None

    @property
    def _decoded_path(self) -> str:
        """As the server reads it, so that no other spelling hides what a call does."""
        return normpath("/" + unquote(self._bare_path))


def form_of(fields: Mapping[str, Any], *, file_field: str, file_name: str, data: bytes) -> Form:
    """A form with one file.

    :param fields: texts, numbers, flags and moments; ``None`` is left out
    :param file_field: name of the field that the file goes into
    :param file_name: what the file is called; its ending gives its kind
    :raises NexusConfigurationError: when the fields are no mapping of names to values that a form can carry
    """
    if not isinstance(file_field, str) or not file_field.strip():
        raise NexusConfigurationError(f"file_field is {file_field!r}: give the name of the field that the file goes into")
    if not isinstance(fields, Mapping):
        hint = "give a dictionary of names and values; nothing was sent"
        raise NexusConfigurationError(f"fields is {fields!r}, {a_kind(fields)}: {hint}")
    texts: dict[str, str] = {}
    for name, value in fields.items():
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise NexusConfigurationError(f"fields has the name {name!r}, and a field's name is text: nothing was sent")
        if name == file_field:
            hint = "leave it out, or give another file_field; nothing was sent"
            raise NexusConfigurationError(f"fields has {name!r}, which the file goes into: {hint}")
        if value is None:
            continue
        place = f"fields.{name}"
        refuse_number_for_code(value, place)
        texts[name] = as_text(value, place, "form")
    refuse_twins([file_field, *texts], "fields, with that of the file,")
    kind = mimetypes.guess_type(file_name)[0] or "application/octet-stream"
    parts: list[tuple[str, Any]] = [*texts.items(), (file_field, (file_name, data, kind))]
    from urllib3.filepost import encode_multipart_formdata

    return Form(*encode_multipart_formdata(parts), texts, hashlib.sha256(data).hexdigest())
