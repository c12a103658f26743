"""A file and what belongs to it as a multipart form, packed by urllib3."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from urllib3.filepost import encode_multipart_formdata

from airflow_provider_nexus.client.values import as_text, refuse_number_for_code, refuse_twins
from airflow_provider_nexus.exceptions import NexusConfigurationError

_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True)
class Form:
    """A form as it is sent, the same at each attempt.

    :param content: its bytes
    :param content_type: with the boundary that parts them
    :param fields: what goes with the file
    :param sha256: digest of the file
    """

    content: bytes = field(repr=False)
    content_type: str
    fields: Mapping[str, str] = field(repr=False)
    sha256: str


def form_of(fields: Mapping[str, Any], *, file_field: str, file_name: str, data: bytes) -> Form:
    """A form with one file.

    :param fields: texts, numbers, flags and moments; ``None`` is left out
    :param file_field: name of the field that the file goes into
    :param file_name: what the file is called; its end says of what kind it is
    :param data: the file
    :raises NexusConfigurationError: when the fields are no mapping of names to values that a form can hold
    """
    if not isinstance(file_field, str) or not file_field.strip():
        raise NexusConfigurationError(f"file_field is {file_field!r}: give the name of the field that the file goes into")
    texts, kind = _texts(fields, file_field), mimetypes.guess_type(file_name)[0] or _UNKNOWN
    parts: list[tuple[str, Any]] = [*texts.items(), (file_field, (file_name, data, kind))]
    return Form(*encode_multipart_formdata(parts), texts, hashlib.sha256(data).hexdigest())


def _texts(fields: Mapping[str, Any], file_field: str) -> dict[str, str]:
    if not isinstance(fields, Mapping):
        raise NexusConfigurationError(
            f"fields is {fields!r}, a {type(fields).__name__}: give a dictionary of names and values; nothing was sent"
        )
    found: dict[str, str] = {}
    for name, value in fields.items():
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise NexusConfigurationError(f"fields has the name {name!r}, and a field's name is text: nothing was sent")
        if name == file_field:
            raise NexusConfigurationError(
                f"fields has {name!r}, which the file goes into: leave it out, or give another file_field; nothing was sent"
            )
        if value is None:
            continue
        place = f"fields.{name}"
        refuse_number_for_code(value, place)
        found[name] = as_text(value, place, "form")
    refuse_twins([file_field, *found], "fields, with that of the file,")
    return found
