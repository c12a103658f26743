"""Checks of paths and URLs as people and templates give them: what leads nowhere, or anywhere, is refused."""

from __future__ import annotations

import os
import re
from typing import Any

from airflow_provider_nexus.api.codes import IN_QUOTES, a_kind
from airflow_provider_nexus.exceptions import NexusConfigurationError

_MISSING = ("None", "null", "undefined", "NaN", "NaT")
"""What templates make of a value that is not there."""

BUCKET_STORES = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfs": "az",
    "abfss": "az",
    "adl": "az",
    "az": "az",
    "wasb": "az",
    "wasbs": "az",
}
"""Stores whose paths begin with a bucket or container: of each scheme the one that names them all."""


def place_of(name: str, value: Any, *, relative: bool = False) -> str:
    """A path or URL as a text.

    :param name: of the argument that it was given in
    :param value: a text, or a path object of Python or of Airflow
    :param relative: whether a path may begin at the current folder, as at a shell
    :raises NexusConfigurationError: when it is empty, of another kind, made of a missing value, or begins at a folder that
        nobody has chosen
    """
    if not (isinstance(value, str | os.PathLike) or hasattr(value, "protocol")):
        hint = IN_QUOTES if value is not None else "that is what a template or another task makes of a missing value"
        raise NexusConfigurationError(f"{name} is {value!r}, {a_kind(value)}, and has to be a path or URL: {hint}")
    text = str(value)
    if not text.strip() or text != text.strip() or not text.isprintable():
        what = "empty" if not text.strip() else f"{text!r}, with blanks around it or signs that can't be seen"
        raise NexusConfigurationError(
            f"{name} is {what}: give the path or URL of a place, such as /data/nexus or s3://lake/nexus"
        )
    missing = next((part for part in re.split(r"[/\\@=]+", text) if part.partition(".")[0] in _MISSING), "")
    if missing:
        hint = f"{missing!r} in it is what a template or another task makes of a missing value"
        raise NexusConfigurationError(f"{name} is {text!r}, and {hint}: nothing was read")
    _refuse_vague(name, text, relative=relative)
    return text


def _refuse_vague(name: str, text: str, *, relative: bool) -> None:
    scheme, mark, rest = text.partition("://")
    if text.startswith("~") or (mark and scheme in ("file", "local") and rest.startswith("~")):
        raise NexusConfigurationError(
            f"{name} is {text!r}: write out the path of the home folder, which differs from user to user"
        )
    is_whole = rest.startswith("/") if mark and scheme in ("file", "local") else mark or text.startswith("/")
    if not is_whole and (mark or not relative):
        hint = "give the whole path, from / on, or a URL; the folder that a worker runs in is not yours"
        raise NexusConfigurationError(f"{name} is {text!r}, which begins at no known folder: {hint}")
    if not (rest if mark else text).strip("/"):
        raise NexusConfigurationError(f"{name} is {text!r}, which names no place in the store: give a bucket or folder, too")
    if mark and scheme in BUCKET_STORES and not rest.partition("/")[0].rpartition("@")[2]:
        raise NexusConfigurationError(
            f"{name} is {text!r}, which names no bucket or container: give it behind {scheme}://, as in {scheme}://lake/nexus"
        )
