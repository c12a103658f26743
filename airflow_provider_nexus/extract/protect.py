"""Personal data on its way into the warehouse: hashed, masked or dropped, before anything is written.

A record is taken apart only where something is treated. All other members have the same bytes as before, so that digits and texts
stay as they came.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api import lenient
from airflow_provider_nexus.api.codes import did_you_mean
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError

Treatment = Literal["keep", "hash", "mask", "drop"]
"""What is done with a value.

* ``keep`` nothing.
* ``hash`` a text becomes ``h:`` and 32 hex digits: the first half of the HMAC-SHA256 of the text under the secret. 128
  bits make two of a billion values meet with a chance below one in 10^20, and 34 characters fit every text column and
  index. The same value has the same hash in every field and resource, so joins survive; a number is hashed by its digits
  as written.
* ``mask`` a text becomes ``***``.
* ``drop`` the value becomes null, whatever it was; the member stays, and so does its column.

Null, the empty text and a missing member identify nobody: ``hash`` and ``mask`` don't change them.
"""

_Path = tuple[str, ...]
Treat = Callable[[bytes], bytes]
"""Makes one JSON value of another."""
_ENOUGH_NAMES = 2000
_EMPTY = (b"null", b'""')
_CONTAINERS = ("map", "object", "list")
_text = msgspec.json.Decoder(str).decode


@dataclass(frozen=True)
class Protection:
    """What is to be done with personal data.

    :param personal: what is done with the fields that the schema marks as personal. ``hash`` and ``mask`` are for texts;
        personal fields of another kind (dates, lists, maps, objects) are then dropped
    :param fields: treatments by wire name or dotted wire path, or by the name of the column, in any case; each wins over
        ``personal``. What lies in a container that the schema leaves open, such as a customer's ``data``, may have any name.
        Objects in lists and maps are written as if there were one
    :param secret: the key of the hashes; not part of the repr
    """

    personal: Treatment = "keep"
    fields: Mapping[str, Treatment] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


class Protector:
    """Applies a :class:`Protection` to the records of one resource.

    :raises NexusConfigurationError: for an unknown treatment, ``hash`` without a secret, ``hash`` or ``mask`` for a field
        that is no text, a name that is no field, any treatment of the creation stamp, and a key that would be masked or
        dropped
    """

    def __init__(self, resource: Resource, protection: Protection) -> None:
        self._resource = resource
        wanted = _wanted(resource, protection)
        if protection.secret == "" and "hash" in (protection.personal, *wanted.values()):
            raise NexusConfigurationError(
                "fields are to be hashed and there is no secret: put hash_secret into the extra of the Nexus connection"
            )
        if resource.created and (resource.created.stamp.lower(),) in wanted:
            raise NexusConfigurationError(
                f"{resource.name}.{resource.created.stamp} is the creation stamp that windows are read by: it can only be kept"
            )
        self.changes_key = _key_is_treated(resource, wanted)
        """Whether a field of the key is treated, so that records go by another key than in Nexus."""
        self.treatments = {".".join(path): str(treatment) for path, treatment in sorted(wanted.items())}
        """The fields that are treated, each with its treatment, for the manifest."""
        changes = treatments(protection.secret)
        self._root = tree_of(resource, {path: changes[treatment] for path, treatment in wanted.items()})
        self._reader = RowReader(resource)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is treated, so that records need not pass through here."""
        return not self._root.places

    def raw(self, raw: bytes) -> bytes:
        """The JSON text of a record, treated.

        :raises NexusDataError: when it is no JSON object; the error has nothing of the text in it
        """
        if self.is_idle:
            return raw
        treated = self._root.of_object(raw)
        if treated is None:
            raise NexusDataError(self._resource.name, "", "?", "a value", "a JSON object")
        return treated

    def row(self, row: Row) -> Row:
        """A row, treated, with the key and the amounts that it has now.

        :raises NexusDataError: when its text is no JSON object
        """
        return self._reader.read(self.raw(row.raw))


class Place:
    """One place in a record: a value to change, or a holder of such places.

    ``places`` are by name in lower case; ``each`` stands for every value of a map, whose names are free.
    """

    def __init__(self) -> None:
        self.change: Treat | None = None
        self.places: dict[str, Place] = {}
        self.each: Place | None = None
        self._spellings: dict[str, Place] = {}
        self._seen: set[str] = set()

    def of(self, raw: bytes) -> bytes:
        """A value, treated. One that should have places and is neither object nor list may be anything: it is dropped."""
        if self.change:
            return self.change(raw)
        if raw[:1] == b"[":
            return msgspec.json.encode([Raw(self.of(bytes(item))) for item in lenient.items(raw)])
        treated = self.of_object(raw)
        return b"null" if treated is None else treated

    def of_object(self, raw: bytes) -> bytes | None:
        """An object with its places treated; nothing when it is no object."""
        # The errors of the decoders contain the text itself, so none of them may be the context of another one.
        try:
            members = lenient.members(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        found = self._found(members)
        for name, node in found:
            members[name] = Raw(node.of(bytes(members[name])))
        return lenient.join(members) if found else raw

    def _found(self, members: Mapping[str, Raw]) -> list[tuple[str, Place]]:
        if self.each is not None:
            return [(name, self.each) for name in members]
        if not members.keys() <= self._seen:  # few names are ever new, so that a record costs one comparison of sets
            if len(self._seen) > _ENOUGH_NAMES:
                self._seen.clear()
            self._seen.update(members)
            self._spellings.update({name: self.places[name.lower()] for name in members if name.lower() in self.places})
        return [(name, node) for name, node in self._spellings.items() if name in members]


def _wanted(resource: Resource, protection: Protection) -> dict[_Path, Treatment]:
    """Treatments by path in lower case: those of the schema, then those given by name."""
    known = {_folded(path): found for path, found in resource.schema.walk()}
    _check_treatment("personal", protection.personal)
    wanted: dict[_Path, Treatment] = {
        path: protection.personal if found.kind == "text" or protection.personal == "keep" else "drop"
        for path, found in known.items()
        if found.personal
    }
    named = dict(_named(resource, protection.fields))
    for path, treatment in named.items():
        found = known.get(path)
        if found is not None and found.kind != "text" and treatment in ("hash", "mask"):
            raise NexusConfigurationError(
                f"{resource.name}.{'.'.join(path)} is of kind {found.kind!r}, and only a text can take {treatment!r}: use 'drop'"
            )
    return {path: treatment for path, treatment in (wanted | named).items() if treatment != "keep"}


def _named(resource: Resource, fields: Mapping[str, Treatment]) -> Iterator[tuple[_Path, Treatment]]:
    if not isinstance(fields, Mapping):
        raise NexusConfigurationError(f"protect is {fields!r}: give a dictionary of fields and what is done with each")
    spellings, seen = _spellings(resource), set()
    # containers whose members no schema names
    free = {_folded(path) for path, each in resource.schema.walk() if each.kind in _CONTAINERS and not each.children}
    for name, treatment in fields.items():
        _check_treatment(f"protect[{name!r}]", treatment)
        path = spellings.get(str(name).lower()) or _inside(free, str(name))
        if path is None:
            hint = did_you_mean(name, spellings, f"`airflow nexus describe {resource.name}` lists them")
            raise NexusConfigurationError(f"{resource.name} have no field {name!r} to protect: {hint}")
        if path in seen:
            raise NexusConfigurationError(f"the field to protect {name!r} is named twice: name each once")
        seen.add(path)
        yield path, treatment


def _inside(free: Collection[_Path], name: str) -> _Path | None:
    """The path of a name that lies in one of those containers."""
    path = _folded(name.split("."))
    return path if all(path) and any(path[:depth] in free for depth in range(1, len(path))) else None


def _spellings(resource: Resource) -> dict[str, _Path]:
    """All names of the fields in lower case: dotted wire paths, those of columns, and such with points."""
    columns: dict[tuple[str, ...], tuple[str, ...]] = {(): ()}
    found: dict[str, _Path] = {}
    for path, each in resource.schema.walk():
        columns[path] = (*columns[path[:-1]], each.column_name)
        for name in ("_".join(columns[path]), ".".join(columns[path])):
            found.setdefault(name.lower(), _folded(path))
    return found | {".".join(_folded(path)): _folded(path) for path in columns if path}


def check_protection(resource: Resource, protection: Protection) -> None:
    """Refuse what can't be done with the personal data of a resource, whatever the secret will be.

    :raises NexusConfigurationError: as :class:`Protector` does
    """
    Protector(resource, replace(protection, secret="known by then"))  # noqa: S106 - nothing is hashed


def _folded(path: Iterable[str]) -> _Path:
    return tuple(name.lower() for name in path)


def _check_treatment(what: str, treatment: str) -> None:
    if treatment not in get_args(Treatment):
        raise NexusConfigurationError(f"the protection {what} is {treatment!r}: give one of {', '.join(get_args(Treatment))}")


def _key_is_treated(resource: Resource, wanted: Mapping[_Path, Treatment]) -> bool:
    """Whether a part of the key is hashed. Masked or dropped keys would make one record of many."""
    is_treated = False
    for name in resource.key:
        path = _folded(name.split("."))
        treatments = {wanted[path[:depth]] for depth in range(1, len(path) + 1) if path[:depth] in wanted}
        is_treated = is_treated or bool(treatments)
        if treatments - {"hash"}:
            raise NexusConfigurationError(
                f"{resource.name}.{name} tells one record from another and can't be masked or dropped: "
                "protect it by its name, with 'hash' or 'keep'"
            )
    return is_treated


def tree_of(resource: Resource, changes: Mapping[_Path, Treat]) -> Place:
    """The places of a record that are changed.

    :param changes: by path in lower case, what is made of the value there, both as JSON; what lies in it is left to that
    """
    maps = {_folded(path) for path, found in resource.schema.walk() if found.kind == "map" and found.children}
    columns = {_folded(path): found.column_name for path, found in resource.schema.walk()}
    # a field that comes by the name of its column means the same to readers
    by_column = {(*path[:-1], columns[path]): change for path, change in changes.items() if path in columns}
    root = Place()
    for path, change in (by_column | dict(changes)).items():
        node = root
        for depth, name in enumerate(path, 1):
            node = node.places.setdefault(name, Place())
            if path[:depth] in maps and depth < len(path):
                node.each = node.each or Place()
                node = node.each
        node.change = change
    return root


def treatments(secret: str) -> dict[Treatment, Treat]:
    """What is made of a JSON value by each treatment but ``keep``; the secret is the key of the hashes."""
    keyed = hmac.new(secret.encode(), digestmod="sha256")

    def hashed(raw: bytes) -> bytes:
        if raw in _EMPTY:
            return raw
        # A copy of the keyed state costs three quarters of a hash from the start.
        mac = keyed.copy()
        mac.update(_plain(raw))
        return b'"h:%b"' % mac.hexdigest()[:32].encode()

    return {"hash": hashed, "mask": lambda raw: raw if raw in _EMPTY else b'"***"', "drop": lambda _: b"null"}


def _plain(raw: bytes) -> bytes:
    """A JSON value as the text to hash: a string as it reads, whatever way it was escaped; anything else as it was written."""
    if raw[:1] != b'"':
        return raw
    if b"\\" not in raw:
        return raw[1:-1]
    try:
        return _text(raw).encode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return raw
