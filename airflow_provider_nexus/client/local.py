"""What keeps a call on this machine and can be mended here: trust, proxies, headers. Each as a sentence that names the place."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.route import UnreadableProxyError
from airflow_provider_nexus.exceptions import NexusConfigurationError

_TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
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
    for name in _TRUST_VARIABLES:
        value = os.environ.get(name)
        if value and (trouble := _unreadable(Path(value))):
            return f"the environment variable {name} names {value}, {trouble}: correct it, or remove the variable"
    return ""


def trusted_place() -> str | None:
    """The file or folder of certificates that ``requests`` trusts instead of its own, so that every client trusts the same."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


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
