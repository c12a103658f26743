"""Objects of JSON with typed members: read with a clear error, and written back with the members that nobody knows."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from types import NoneType
from typing import Annotated, Any, NoReturn, Self, TypeVar, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct, UnsetType
from msgspec.structs import FieldInfo, fields, force_setattr

from airflow_provider_nexus.exceptions import NexusDataError

T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, description="a count")]
Digits = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?\Z")]
Sums = Annotated[dict[str, dict[str, Digits]], Meta(description="sums in digits, by field and currency")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="a SHA-256")]
_KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", NoneType: "null"}


def decoded(raw: bytes | str | None, kind: type[T]) -> T | None:
    """An object of a file that may be damaged; ``None`` when there is none, or it can't be read."""
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return None if raw is None else msgspec.json.decode(raw, type=kind)
    return None


class Members(Struct, kw_only=True, frozen=True):
    """An object of a manifest.

    :param unknown: members that this version does not know, by name; they are written back as they came
    """

    # Of any kind, so that a member of this very name is no error: what is unknown replaces it, itself included.
    unknown: Any = msgspec.field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """JSON-able members. Those that have their default are left out."""
        found = dict(self.unknown)
        for each in _members(type(self)):
            value = getattr(self, each.name)
            if each.required or value != (each.default if each.default is not NODEFAULT else each.default_factory()):
                found[each.name] = _plain(value)
        return found

    @classmethod
    def read(cls, found: object, where: str) -> Self:
        """The object that was decoded, in a folder or table that errors name.

        :raises NexusDataError: when a member is missing, or is not what it has to be; it names the member
        """
        try:
            made = msgspec.convert(found, cls)
        except msgspec.ValidationError as error:
            _explain(cls, found, where, "")
            refuse(where, "?", str(error), "a manifest")
        _add_unknown(made, found)
        return made


@cache
def _members(kind: type[Members]) -> list[FieldInfo]:
    return [each for each in fields(kind) if each.name != "unknown"]


@cache
def _names(kind: type[Members]) -> tuple[frozenset[str], list[str]]:
    """The names of all members, and of those that may be such objects, or lists of them."""
    nested = [each.name for each in _members(kind) if any(map(_has_members, (each.type, *_parts(each.type))))]
    return frozenset(each.name for each in _members(kind)), nested


def _parts(kind: Any) -> list[Any]:
    """All kinds that a kind is made of."""
    return [part for each in get_args(kind) for part in (each, *_parts(each))]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.dump() if isinstance(value, Members) else value


def _add_unknown(made: Members, found: Any) -> None:
    """Add what the type does not know, to an object and to those in it."""
    names, nested = _names(type(made))
    force_setattr(made, "unknown", {name: value for name, value in found.items() if name not in names})
    for name in nested:
        value = getattr(made, name)
        if isinstance(value, Members):
            _add_unknown(value, found[name])
        elif isinstance(value, list):
            for item, raw in zip(value, found.get(name, ()), strict=True):
                _add_unknown(item, raw)


def _explain(kind: type[Members], found: object, where: str, path: str) -> None:
    """Refuse the first member that is not as declared."""
    if not isinstance(found, dict):
        refuse(where, path.rstrip("."), found, "an object")
    for each in _members(kind):
        if each.name in found:
            _explain_value(each.type, found[each.name], where, path + each.name)
        elif each.required:
            refuse(where, path + each.name, None, "what a whole manifest has there")


def _explain_value(kind: Any, value: object, where: str, name: str) -> None:
    is_union = get_origin(kind) not in (None, Annotated, list, dict)
    kinds = [each for each in (get_args(kind) if is_union else (kind,)) if each is not UnsetType]
    for each in kinds:
        item: Any = get_args(each)[0] if get_origin(each) is list else None
        if _has_members(each) and isinstance(value, dict):
            _explain(each, value, where, f"{name}.")
            return
        if _has_members(item) and isinstance(value, list):
            for one in value:
                _explain(item, one, where, f"{name}.")
            return
        if not _has_members(each):
            with suppress(msgspec.ValidationError):
                msgspec.convert(value, each)
                return
    refuse(where, name, value, " or ".join(dict.fromkeys(_in_words(each) for each in kinds)))


def _has_members(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Members)


def _in_words(kind: Any) -> str:
    """What a value has to be."""
    if get_origin(kind) is Annotated:
        return next(each.description for each in get_args(kind) if isinstance(each, Meta) and each.description)
    if get_origin(kind) is dict and get_args(kind)[1] is not Any:
        return f"an object of {_in_words(get_args(kind)[1]).partition(' ')[2]}s"
    return _KINDS.get(get_origin(kind) or kind, "an object")


def refuse(where: str, name: str, value: object, expected: str) -> NoReturn:
    """Refuse a manifest for one of its members, which has to be something else.

    :raises NexusDataError: always
    """
    raise NexusDataError("manifest", where, name, value, f"{expected}; move it away and sync again")
