"""Which proxy a call takes: one decision, so that tasks and the waits of the triggerer go the same way.

It is the decision of ``requests``, which other tasks of Airflow follow too, with two differences. This machine is never reached
through a proxy, whatever the environment says: a proxy would get the token and lead to its own machine. And ``NO_PROXY`` may
also hold networks of IPv6, addresses in brackets, blanks between entries, and ``*`` beside others.
"""

from __future__ import annotations

import ipaddress
import os
import re
from contextlib import suppress
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from airflow_provider_nexus.api.environments import is_loopback

_SCHEMES = ("http", "https", "socks5", "socks5h")


class UnreadableProxyError(ValueError):
    """The environment names a proxy that can't be used. Its text is a sentence without the address, which may hold a password."""


def proxy_for(url: str) -> str | None:
    """The address of the proxy that calls of a URL take; ``None`` when they go directly.

    :raises UnreadableProxyError: when the environment names something else than a proxy
    """
    host = urlsplit(url).hostname or ""
    if _is_this_machine(host) or _is_listed(host):
        return None
    proxy = (select_proxy(url, get_environ_proxies(url)) or "").strip()
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    _refuse_unreadable(proxy, urlsplit(url).scheme)
    return proxy


def _is_this_machine(host: str) -> bool:
    """Names below ``localhost`` are this machine too (RFC 6761)."""
    return is_loopback(host) or host.rstrip(".").lower().endswith(".localhost")


def _is_listed(host: str) -> bool:
    """Whether ``NO_PROXY`` lists a host in one of the ways that ``requests`` does not read."""
    text = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    entries = [entry.lower() for entry in re.split(r"[\s,]+", text) if entry]
    names = {entry.removeprefix(".") for entry in entries}
    if "*" in entries or any(host == name or host.endswith(f".{name}") for name in names):
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return any(address in network for network in map(_network, entries) if network)
    return False


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The addresses that an entry stands for, without its brackets and its port."""
    bare = re.sub(r"^\[(.*)\](:\d+)?(/\d+)?$", r"\1\3", entry)
    try:
        return ipaddress.ip_network(bare, strict=False)
    except ValueError:
        return None


def _refuse_unreadable(proxy: str, scheme: str) -> None:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    name = next((name for name in names if os.environ.get(name)), "the proxy of this machine").upper()
    try:
        parts = urlsplit(proxy)
        is_address = bool(parts.hostname) and (parts.port or 0) >= 0 and not re.search(r"[\s\x00-\x1f]", proxy)
    except ValueError:
        is_address = False
    if not is_address:
        raise UnreadableProxyError(
            f"{name} or NO_PROXY can't be read as what it must be, a URL and a list of hosts: correct it, as in http://proxy:3128"
        )
    if parts.scheme not in _SCHEMES:
        raise UnreadableProxyError(f"{name} names a proxy of the kind {parts.scheme!r}: give one of {', '.join(_SCHEMES)}")
