"""How this machine reaches Nexus: proxies, trusted certificates, and what of them has to be mended here, as a sentence.

The proxy is the decision of ``requests``, which other tasks of Airflow follow too, with two differences. This machine is never
reached through a proxy, whatever the environment names: a proxy would get the token and lead to its own machine. And ``NO_PROXY``
may also have networks of IPv6, addresses in brackets, blanks between entries, and ``*`` beside others.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from airflow_provider_nexus.api.environments import is_loopback, split
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.exceptions import NexusConfigurationError

_SCHEMES = ("http", "https", "socks5", "socks5h")
_TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where both clients look for certificates, the first that is set: a file, or a folder."""
_UNKNOWN_ISSUERS = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's numbers for a certificate that no authority which is trusted has given out (X509_V_ERR_*)."""
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


class UnreadableProxyError(ValueError):
    """The environment names a proxy that can't be used. Its text does not show the address, which may have a password."""


def proxy_for(url: str) -> str | None:
    """The address of the proxy that calls of a URL take; ``None`` when they go directly.

    :raises UnreadableProxyError: when the environment names something else than a proxy
    """
    host = urlsplit(url).hostname or ""
    # names below localhost are this machine too (RFC 6761)
    if is_loopback(host) or host.rstrip(".").lower().endswith(".localhost") or _is_listed(host):
        return None
    proxy = (select_proxy(url, get_environ_proxies(url)) or "").strip()
    if not proxy:
        return None
    proxy, scheme = proxy if "://" in proxy else f"http://{proxy}", urlsplit(url).scheme
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    name = next((name for name in names if os.environ.get(name)), "the proxy of this machine").upper()
    parts = split(proxy)
    if parts is None or not parts.hostname or re.search(r"[\s\x00-\x1f]", proxy):
        hint = "correct it, as in http://proxy:3128"
        raise UnreadableProxyError(f"{name} or NO_PROXY can't be read as what it must be, a URL and a list of hosts: {hint}")
    if parts.scheme not in _SCHEMES:
        raise UnreadableProxyError(f"{name} names a proxy of the kind {parts.scheme!r}: give one of {', '.join(_SCHEMES)}")
    return proxy


def _is_listed(host: str) -> bool:
    """Whether ``NO_PROXY`` lists a host in one of the ways that ``requests`` does not read."""
    text = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    entries = [entry.lower() for entry in re.split(r"[\s,]+", text) if entry]
    names = {entry.removeprefix(".") for entry in entries}
    if "*" in entries or any(host == name or host.endswith(f".{name}") for name in names):
        return True
    for entry in entries:
        bare = re.sub(r"^\[(.*)\](:\d+)?(/\d+)?$", r"\1\3", entry)  # without brackets and port
        with suppress(ValueError):
            if ipaddress.ip_address(host) in ipaddress.ip_network(bare, strict=False):
                return True
    return False


def misconfigured(call: Call, error: Exception) -> NexusConfigurationError:
    """The error for a call that could not begin. Of the original only its class is shown: its text may contain the full URL."""
    text = str(error)
    proxy = next((name for name in _PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())), "")
    if "socks" in text.lower() and not isinstance(error, UnreadableProxyError):
        what = f"{proxy} names a SOCKS proxy, and the library for these is missing: pip install 'requests[socks]' 'httpx[socks]'"
    elif isinstance(error, UnreadableProxyError):
        what = text
    else:
        what = distrust() or (
            f"it can't be written as an HTTP request ({type(error).__name__}): look at its path, its query and its api_version"
        )
    return NexusConfigurationError(f"{call.method} {call.label} was not sent: {what}")


def distrust() -> str:
    """What is wrong with the certificates that the environment names; empty when nothing is."""
    name, place = trusted()
    if not place or Path(place).is_dir():
        return ""
    try:
        ssl.create_default_context(cafile=place)
    except FileNotFoundError:
        fault = "which does not exist"
    except ssl.SSLError:
        fault = "which contains no certificates in PEM form"
    except OSError as error:
        fault = f"which can't be read ({error.strerror})"
    else:
        return ""
    return f"the environment variable {name} names {place}, {fault}: correct it, or remove the variable"


def unreached(error: Exception) -> str:
    """Why a server was not reached, as far as that lies in TLS; empty when it does not. It is the same for every client."""
    refusal = next((each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refusal is None:
        return ""
    text = f"the certificate of the server is not accepted: {refusal.verify_message}"
    if refusal.verify_code not in _UNKNOWN_ISSUERS:
        return text
    name, place = trusted()
    now = f"{name}, which is {place}, names those that are trusted now" if name else "those of certifi are trusted now"
    return (
        f"{text}. Where a private authority has given it out, put the certificate of that authority, in PEM form, into the file "
        f"that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names, for workers and the triggerer; {now}"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from, which libraries attach as a cause, a context, an argument or a reason."""
    left, seen = [error], set[int]()
    while left:
        each = left.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            found = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
            left += [cause for cause in found if isinstance(cause, BaseException)]


def trusted() -> tuple[str, str]:
    """The variable that names certificates to trust instead of ``certifi``'s, and their file or folder; empty when none does."""
    return next(((name, place) for name in _TRUST_VARIABLES if (place := os.environ.get(name))), ("", ""))
