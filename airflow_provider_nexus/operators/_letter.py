"""Letters made of mails of Nexus: each arrives as it is in Nexus, or is refused before it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_string, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import getaddresses, localtime
from typing import Any, TypeVar
from unicodedata import normalize

from airflow_provider_nexus.exceptions import NexusUnsentMailError

Addresses = tuple[Address, ...]
"""Addresses that have been read."""

Read = TypeVar("Read")

_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HALVES = re.compile("[\ud800-\udfff]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')
_ONE = re.compile(r'(?:(?P<plain>[^"<>()@,;:\\\[\]]*)|(?P<quoted>"(?:[^"\\]|\\.)*+"))\s*<(?P<inner>[^<>\s]+)>|(?P<bare>[^<>\s]+)')
_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_DOMAIN = 253
_CODE = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_LONGEST_CODE = 100
_MEMBERS = ("email", "cc", "bcc")
_USUAL_LINE, _LONGEST_LINE = 78, 998
_HEADERS = "its headers"


@dataclass(frozen=True)
class Letter:
    """A mail whose every member could be read.

    :param bodies: subtype of ``text`` to text, lines ended by LF
    """

    code: str
    sender: Address
    to: Addresses
    cc: Addresses
    bcc: Addresses
    subject: str
    bodies: Mapping[str, str]

    @property
    def recipients(self) -> list[str]:
        """The addresses in the envelope, each once."""
        return list(dict.fromkeys(address.addr_spec for address in (*self.to, *self.cc, *self.bcc)))

    @property
    def headers(self) -> dict[str, Addresses]:
        """The headers with addresses."""
        return {name: each for name, each in (("From", (self.sender,)), ("To", self.to), ("Cc", self.cc)) if each}

    @property
    def message_id(self) -> str:
        """Made of the code, so that mail servers recognise a copy."""
        return f"<{self.code}@nexus.invalid>"

    @property
    def is_utf8(self) -> bool:
        """Whether the mail server must offer SMTPUTF8 for it."""
        return not "".join([self.sender.addr_spec, *self.recipients]).isascii()


def is_fit(code: object) -> bool:
    """Whether a code of a mail can be a ``Message-ID``, a segment of a path and a piece of a Variable's name."""
    return isinstance(code, str) and len(code) <= _LONGEST_CODE and _CODE.fullmatch(code) is not None


def join_addresses(mail: Mapping[str, Any]) -> dict[str, Any]:
    """The recipients of a mail, each member one text fit for a header, without the blanks that Nexus pads them with.

    A member is ``None`` where nobody is in it. ``NexusUnsentMailError`` when one can't be read. See docs/api_facts.rst, Mail.
    """
    recipient = mail.get("recipient") or {}
    read = {name: _recipients(mail, name) for name in _MEMBERS if name in recipient}
    return {**recipient, **{name: ",".join(map(str, addresses)) or None for name, addresses in read.items()}}


def compose(mail: Mapping[str, Any], from_email: str | None) -> Letter:
    """A mail understood. ``NexusUnsentMailError`` when that can't be, with the mail and the member, and no address."""
    code, content = mail["code"], mail.get("content") or {}
    if not is_fit(code):
        raise NexusUnsentMailError(f"mail {code!a:.100}: its code can't be a Message-ID; nothing was sent")
    senders = _read(code, "from_email", from_email, parse_addresses)
    if len(senders) != 1:
        raise _refusal(code, "from_email", "of the operator or the SMTP connection must be one address")
    to, cc, bcc = (_recipients(mail, name) for name in _MEMBERS)
    subject = _read(code, "content.subject", content.get("subject"), _subject)
    texts = {"plain": _read(code, "content.text", content.get("text"), _lines)}
    texts["html"] = _read(code, "content.html", content.get("html"), _lines)
    bodies = {subtype: text for subtype, text in texts.items() if text}
    if not (to and subject and bodies):
        raise NexusUnsentMailError(
            f"mail {code} lacks a recipient, a subject or a text: give it content in Nexus (PUT /mail/{{code}}), or write it "
            "in a `deliver` of your own"
        )
    return Letter(code, senders[0], to, cc, bcc, subject, bodies)


def parse_addresses(value: object) -> Addresses:
    """The addresses in a text such as ``"Doe, Jane" <jane@example.org>, jack@example.org``; empty pieces are nobody.

    Domains come in ASCII, as mail servers take them.

    :raises ValueError: for what can't be read, or be read in two ways; its words contain nothing of the text
    """
    # no control character is in the text, so one can replace the commas that separate nothing
    pieces = _QUOTED.sub(lambda quoted: quoted[0].replace(",", "\0"), _line(value)).split(",")
    return tuple(_address(piece.strip().replace("\0", ",")) for piece in pieces if piece.strip())


def write(letter: Letter) -> bytes:
    """The bytes of a mail, refused where a reader would find something else, as headers that Python folds can arrive changed."""
    differs = _HEADERS
    for longest in (_USUAL_LINE, _LONGEST_LINE):  # what is lost by folding may arrive unfolded
        with suppress(Exception):  # Python's email package has no list of what it raises for a text that it can't write
            message = _message(letter)
            data = message.as_bytes(policy=message.policy.clone(max_line_length=longest))
            differs = _difference(letter, message.keys(), data)
            if not differs:
                return data
    raise _refusal(letter.code, differs, "would not arrive as given")


def _message(letter: Letter) -> EmailMessage:
    message = EmailMessage(policy.SMTPUTF8 if letter.is_utf8 else policy.SMTP)
    for name, addresses in letter.headers.items():
        message[name] = addresses
    message["Subject"] = letter.subject
    message["Date"] = localtime()
    message["Message-ID"] = letter.message_id
    for add, (subtype, text) in zip((message.set_content, message.add_alternative), letter.bodies.items(), strict=False):
        # either way no character of a text is on the wire that a mail server could change
        add(text, subtype=subtype, charset="utf-8", cte="quoted-printable" if text.isascii() else "base64")
    return message


def _difference(letter: Letter, names: list[str], data: bytes) -> str:
    """What a reader would find otherwise than it was given; empty when nothing."""
    if any(len(line) > _LONGEST_LINE or re.search(rb"[\r\n\0]", line) for line in data.split(b"\r\n")):
        return _HEADERS
    read = message_from_string(data.decode(), policy=policy.default)
    if read.keys() != names or read.defects or read["Message-ID"] != letter.message_id:
        return _HEADERS
    for name, addresses in letter.headers.items():
        if _shown(read[name].addresses) != _shown(addresses):
            return {"From": "from_email", "To": "recipient.email"}.get(name, "recipient.cc")
    if _squeezed(read["Subject"]) != _squeezed(letter.subject):
        return "content.subject"
    parts = list(read.iter_parts()) or [read]
    found = [(part.get_content_type(), _lines(part.get_content())) for part in parts]
    return "" if found == [(f"text/{subtype}", text) for subtype, text in letter.bodies.items()] else "its text"


def _shown(addresses: Iterable[Address]) -> list[tuple[str, str]]:
    return [(_squeezed(address.display_name), address.addr_spec) for address in addresses]


def _squeezed(text: str) -> str:
    return re.sub("[ \t]+", " ", text).strip(" \t")


def _recipients(mail: Mapping[str, Any], name: str) -> Addresses:
    return _read(mail["code"], f"recipient.{name}", (mail.get("recipient") or {}).get(name), parse_addresses)


def _read(code: str, member: str, value: object, reader: Callable[[object], Read]) -> Read:
    try:
        return reader(value)
    except ValueError as error:
        raise _refusal(code, member, str(error)) from None


def _refusal(code: str, member: str, why: str) -> NexusUnsentMailError:
    return NexusUnsentMailError(f"mail {code}: {member} {why}; nothing was sent")


def _text(value: object, unfit: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str | None):
        raise ValueError("is no text")  # noqa: TRY004 - as for all other values that can't be sent
    if value and unfit.search(value):
        raise ValueError(f"contains {what}")
    return value or ""


def _line(value: object) -> str:
    return _text(value, _CONTROLS, "a line break, another control character or half a character").strip(" \t")


def _subject(value: object) -> str:
    text = _line(value)
    if not _is_read("Subject", text, lambda header: str(header) == text):
        raise ValueError("can be read in two ways")
    return text


def _lines(value: object) -> str:
    text = re.sub("\r\n?", "\n", _text(value, _HALVES, "half a character"))
    return text if not text or text.endswith("\n") else f"{text}\n"


def _address(piece: str) -> Address:
    found = _ONE.fullmatch(piece)
    if not found:
        raise ValueError("contains what is not an address, or one with a name before it that needs quotes")
    spec = found["inner"] or found["bare"]
    quoted = re.sub(r"\\(.)", r"\1", found["quoted"][1:-1]) if found["quoted"] else ""
    name = _squeezed(quoted or found["plain"] or "")
    local, _, domain = spec.rpartition("@")
    ascii_domain = _ascii(domain)
    if not (_LOCAL.fullmatch(local) and local.isprintable() and ascii_domain):
        raise ValueError("contains an address that is not a name, one @ and a domain")
    address = Address(name, local, ascii_domain)
    readings = [(_squeezed(its_name), its_spec) for its_name, its_spec in getaddresses([piece])]
    is_read = _is_read("To", str(address), lambda header: _shown(header.addresses) == _shown([address]))
    if readings != [(name, spec)] or not is_read:
        raise ValueError("contains an address that can be read in two ways")
    return address


def _is_read(name: str, text: str, expected: Callable[[Any], bool]) -> bool:
    """Whether a header is read as it is written; a text that looks encoded is not."""
    with suppress(Exception):  # the parser has no list of what it raises
        return expected(policy.default.header_factory(name, text))
    return False


def _ascii(domain: str) -> str:
    """A domain as mail servers take it; empty for one that is no domain, or that would become another one."""
    if len(domain) > _LONGEST_DOMAIN:
        return ""
    try:
        known = domain if domain.isascii() else domain.encode("idna").decode()
        is_kept = known == domain or known.encode().decode("idna") == normalize("NFC", domain.lower())
    except UnicodeError:
        return ""
    return known if is_kept and _DOMAIN.fullmatch(known) and len(known) <= _LONGEST_DOMAIN else ""
