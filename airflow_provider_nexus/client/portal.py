"""The address of a record in the Nexus portal. Its paths are not documented, so the connection gives them."""

from __future__ import annotations

from string import Formatter
from urllib.parse import quote, urlsplit

from airflow_provider_nexus.api.environments import is_loopback
from airflow_provider_nexus.exceptions import NexusConfigurationError

_PLACES = ("resource", "code")
_EXAMPLE = "https://portal.example.com/{resource}/{code}"


def check_template(template: str) -> str:
    """The template of the portal's addresses, if it can be one.

    :raises NexusConfigurationError: when it is no https address, holds credentials, or has an unknown placeholder
    """
    _refuse_unknown_places(template)
    try:
        parts = urlsplit(template)
        address, has_credentials = parts.hostname or "", "@" in parts.netloc
        _ = parts.port
    except ValueError:
        raise NexusConfigurationError(f"the extra 'portal_url' is no address: give one such as {_EXAMPLE}") from None
    if has_credentials:
        raise NexusConfigurationError("the extra 'portal_url' may not hold a user name or password: everybody sees the link")
    if not address or set("{}\\ ") & set(parts.netloc) or not template.isprintable():
        raise NexusConfigurationError(f"the extra 'portal_url' has no plain host: give an address such as {_EXAMPLE}")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(address)):
        raise NexusConfigurationError(
            f"the extra 'portal_url' starts with {parts.scheme!r}: use https (http is for this machine only)"
        )
    return template


def record_address(template: str, resource: str, code: str) -> str:
    """The address of one record: the template with both names in it, percent-encoded."""
    return template.format(resource=quote(resource, safe=""), code=quote(code, safe=""))


def _refuse_unknown_places(template: str) -> None:
    try:
        places = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template) if name is not None]
    except ValueError:
        raise NexusConfigurationError(f"the extra 'portal_url' has an odd brace: write it as in {_EXAMPLE}") from None
    for name, spec, conversion in places:
        if name not in _PLACES or spec or conversion:
            raise NexusConfigurationError(
                f"the extra 'portal_url' has an unknown placeholder {{{name}}}: use {{resource}} and {{code}}, as they are"
            )
