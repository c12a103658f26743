"""What keeps a call on this machine and can be mended here: trust, proxies, headers. Each as a sentence that names the place."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.proxies import UnreadableProxyError
from airflow_provider_nexus.exceptions import NexusConfigurationError

_TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where both clients look for certificates, the first that is set: a file, or a folder."""
_UNKNOWN_ISSUERS = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's numbers for a certificate that no authority which is trusted has given out (X509_V_ERR_*)."""
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def misconfigured(call: Call, error: Exception) -> NexusConfigurationError:
    """The error for a call that could not even begin. Of the original only its class is told: its text may hold the full URL."""
    said = str(error)
    proxy = next((name for name in _PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())), "")
    if ("SOCKS" in said or "socks" in said) and not isinstance(error, UnreadableProxyError):
        what = f"{proxy} names a SOCKS proxy, and the library for these is missing: pip install 'requests[socks]' 'httpx[socks]'"
    elif isinstance(error, UnreadableProxyError):
        what = said
    else:
        what = distrust() or (
            f"it can't be written as an HTTP request ({type(error).__name__}): look at its path, its query and its api_version"
        )
    return NexusConfigurationError(f"{call.method} {call.label} was not sent: {what}")


def distrust() -> str:
    """What is wrong with the certificates that the environment names; empty when nothing is."""
    name, place = _trusted()
    trouble = _unreadable(Path(place)) if place else ""
    return f"the environment variable {name} names {place}, {trouble}: correct it, or remove the variable" if trouble else ""


def trusted_place() -> str | None:
    """The file or folder of certificates that is trusted instead of those of ``certifi``, by every client alike."""
    return _trusted()[1] or None


def unreached(error: Exception) -> str:
    """Why a server was not reached, as far as that lies in TLS; empty when it does not. It is the same for every client."""
    refusal = next((each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refusal is None:
        return ""
    said = f"the certificate of the server is not accepted: {refusal.verify_message}"
    if refusal.verify_code not in _UNKNOWN_ISSUERS:
        return said
    name, place = _trusted()
    now = f"{name}, which is {place}, names those that are trusted now" if name else "those of certifi are trusted now"
    return (
        f"{said}. Where a private authority has given it out, put the certificate of that authority, in PEM form, into the file "
        f"that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names, for workers and the triggerer; {now}"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from, as the libraries keep that: as a cause, a context, an argument or a reason."""
    left, seen = [error], set[int]()
    while left:
        each = left.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            found = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
            left += [cause for cause in found if isinstance(cause, BaseException)]


def _trusted() -> tuple[str, str]:
    """The variable that names what is trusted, and what it names; empty texts when none does."""
    return next(((name, place) for name in _TRUST_VARIABLES if (place := os.environ.get(name))), ("", ""))


def _unreadable(path: Path) -> str:
    if path.is_dir():
        return ""
    try:
        ssl.create_default_context(cafile=str(path))
    except FileNotFoundError:
        return "which does not exist"
    except ssl.SSLError:
        return "which holds no certificates in PEM form"
    except OSError as error:
        return f"which can't be read ({error.strerror})"
    return ""
