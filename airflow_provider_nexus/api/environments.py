"""Environments: where Nexus is, and which addresses may carry a token. See docs/api_facts.rst, Environments.

What is none of either is refused by a :class:`NexusConfigurationError`, in which ``what`` is what it is called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from airflow_provider_nexus.exceptions import NexusConfigurationError

BASE_URLS = {"test": "https://api.test.casp.quantoznexus.com", "production": "https://api.quantoznexus.com"}
"""The two environments of the vendor's authentication page."""

_NAME = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Environment:
    """One Nexus to talk to.

    :param name: ``test`` or ``production``; ``sandbox`` for a host on this machine, else the name of the own host.
        It labels paths, manifests and assets, and has no port: the base URL in its manifests shows which server a copy is of.
    :param base_url: scheme, host and port, with no slash at the end
    """

    name: str
    base_url: str

    def __str__(self) -> str:
        return f"{self.name} ({self.base_url})"


def resolve(environment: str | None = None, host: str | None = None, port: int | None = None) -> Environment:
    """The environment of a connection; an own base URL in ``host`` wins over the name."""
    if host:
        return _own(host.strip(), port)
    name = (environment or "test").strip().lower()
    if name not in BASE_URLS:
        hint = f"use one of {', '.join(sorted(BASE_URLS))}, or give a base URL as the host"
        raise NexusConfigurationError(f"unknown Nexus environment {name!r}: {hint}")
    return Environment(name, BASE_URLS[name])


def normal_form(base_url: str) -> str:
    """A base URL in the one form that it has here: small letters, no port that the scheme implies, no slash at the end."""
    try:
        return _own(base_url.strip(), None).base_url
    except NexusConfigurationError:  # one that no token would be sent to any more
        return base_url.strip().rstrip("/").lower()


def _own(host: str, port: int | None) -> Environment:
    parts = _split(host if "://" in host else f"https://{host}")
    address = parts.hostname or ""
    if parts.username or parts.password:
        hint = "the API token belongs in the password field"
        raise NexusConfigurationError(f"the base URL may not contain a user name or password: {hint}")
    # libraries disagree on where a name with other characters ends, so one could check a host that another does not call
    if not (_NAME.fullmatch(address) or _ip(address)) or parts.scheme not in ("http", "https"):
        raise NexusConfigurationError(f"the base URL {host!r} is not an https address, as in https://api.quantoznexus.com")
    if parts.scheme == "http" and not is_loopback(address):
        hint = "use https (http is for this machine only)"
        raise NexusConfigurationError(f"plain http would send the token in the clear to {address}: {hint}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise NexusConfigurationError(f"the base URL must end after the host, as in {parts.scheme}://{address}")
    number = parts.port or port
    name = f"[{address}]" if ":" in address else address
    if number and number != {"https": 443, "http": 80}[parts.scheme]:  # so that one place has one name
        name = f"{name}:{number}"
    base_url = f"{parts.scheme}://{name}".lower()
    known = {url: name for name, url in BASE_URLS.items()}
    return Environment(known.get(base_url) or ("sandbox" if is_loopback(address) else address.lower()), base_url)


def split(url: str) -> SplitResult | None:
    """An address taken apart; ``None`` when its host or port can't be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _split(url: str) -> SplitResult:
    parts = split(url)
    if parts is None:  # not shown, as it may contain a password
        raise NexusConfigurationError("that is no address: its host or port can't be read; write https://host:port")
    return parts


def split_link(what: str, address: str, example: str, schemes: tuple[str, ...] = ()) -> SplitResult:
    """An address that people are shown as a link, taken apart. It has no credentials, and a plain host.

    :param example: one that would do, for the error
    :param schemes: those that it may have; by default any
    """
    parts = split(address)
    if parts is None:
        raise NexusConfigurationError(f"{what} is no address: give one such as {example}")
    if "@" in parts.netloc:
        raise NexusConfigurationError(f"{what} may not contain a user name or password: everybody sees the link")
    if schemes and parts.scheme not in schemes:
        hint = f"give an {' or '.join(schemes)} address, such as {example}"
        raise NexusConfigurationError(f"{what} starts with {parts.scheme!r}: {hint}")
    if not parts.hostname or set("{}\\ ") & set(parts.netloc) or not address.isprintable():
        raise NexusConfigurationError(f"{what} has no plain host: give an address such as {example}")
    return parts


def _ip(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def is_loopback(address: str) -> bool:
    """Whether a host name or address is this machine."""
    if address.lower().rstrip(".") == "localhost":
        return True
    found = _ip(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else found
    return bool(found and (mapped or found).is_loopback)


def join(base_url: str, endpoint: str) -> str:
    """The full URL of an endpoint. An absolute endpoint is taken only when it names the same host: a token is for one host."""
    parts = _split(endpoint)
    if not parts.scheme and not parts.netloc:
        return f"{base_url}/{endpoint.lstrip('/')}"
    if f"{parts.scheme}://{parts.netloc}".lower() != base_url.lower():
        raise NexusConfigurationError(
            f"the endpoint names the host {parts.netloc or parts.scheme!r}, the connection is for {base_url}: give the path alone"
        )
    return endpoint
