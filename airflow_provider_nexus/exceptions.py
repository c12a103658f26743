"""Errors of the provider, one tree. Each names what happened and what to do.

``NexusApiError`` and its children speak of one call; they never contain the token, and bodies only as a short redacted excerpt.
"""

from __future__ import annotations

import copyreg
from typing import Any, ClassVar, Protocol

_LOOKED_AT, _HALF, _SHOWN = 16_384, 8_192, 300
LONGEST_PAUSE = 600.0
"""Seconds that a wait lasts at most, however many Nexus asks for; then it is called again."""


def printable(text: str) -> str:
    """A text on one line: signs that are not seen but done, as by a terminal, are written out as escapes."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


class _Scrubber(Protocol):
    def scrub(self, text: str) -> str:
        """A text without something, in whatever form that is there."""


_kept_out: set[_Scrubber] = set()


def hide_in_errors(secret: _Scrubber) -> None:
    """Blank a secret in all errors that are made from now on in this process: a server can repeat it in any record."""
    _kept_out.add(secret)


def without_secrets(text: str) -> str:
    """A text that somebody else wrote, such as a server, without the secrets of this process: for errors, logs and answers.

    It has to be whole, so scrub before something is cut.
    """
    for secret in tuple(_kept_out):
        text = secret.scrub(text)
    return text


def excerpt(value: object) -> str:
    """The beginning of a value as it is written in Python, without secrets, short enough for a line."""
    written = repr(value)
    # half of a secret may be at the end of what is cut
    seen = without_secrets(written) if len(written) <= _LOOKED_AT else without_secrets(written[:_LOOKED_AT])[:-_HALF]
    return seen if len(seen) <= _SHOWN and len(written) <= _LOOKED_AT else f"{seen[:_SHOWN]}..."


class NexusError(Exception):
    """Root of all errors of the provider. All can be pickled, as Airflow hands them from process to process."""

    is_permanent: ClassVar[bool] = False
    """Whether another try of the same task must end the same way, or would do harm."""

    def __init_subclass__(cls, *, is_permanent: bool = False) -> None:
        super().__init_subclass__()
        cls.is_permanent = cls.is_permanent or is_permanent

    def __init__(self, *args: object) -> None:
        super().__init__(*(without_secrets(arg) if isinstance(arg, str) else arg for arg in args))

    def __str__(self) -> str:
        """What happened. Texts of a server or a file can't move the cursor of the terminal that shows it."""
        return "\n".join(printable(line) for line in super().__str__().split("\n"))

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class NexusConfigurationError(NexusError, ValueError, is_permanent=True):
    """The connection or an argument is wrong; nothing was called."""


class NexusUnknownResourceError(NexusError, LookupError, is_permanent=True):
    """The catalogue has no resource of that name."""


class NexusWriteRefusedError(NexusError, is_permanent=True):
    """The connection does not allow writes, and the call would change something. Nothing was sent."""


class NexusDataError(NexusError, ValueError, is_permanent=True):
    """A value can't be read as the kind that its schema names.

    :param resource: name of the resource
    :param key: key of the record
    :param field: wire name of the field
    :param value: the value as it came; its text with three stars in place of a secret when it has one
    """

    def __init__(self, resource: str, key: str, field: str, value: object, expected: str) -> None:
        self.resource, self.key, self.field = resource, without_secrets(key), without_secrets(field)
        self.value = value if without_secrets(repr(value)) == repr(value) else without_secrets(str(value))
        shown = excerpt(value)
        super().__init__(f"{resource} record {self.key or '?'}: field {self.field!r} holds {shown}, which is not {expected}")


class NexusWindowError(NexusError, ValueError, is_permanent=True):
    """No window could be resolved, or it is none that can be taken."""


class NexusUnprovedError(NexusError):
    """The window could not be proved complete, so nothing was published.

    :param verdict: ``unproved``
    :param reasons: what did not match, one line each
    """

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        self.verdict = "unproved"
        self.reasons = tuple(without_secrets(reason) for reason in reasons)
        super().__init__(message)


class NexusReconciliationError(NexusError, is_permanent=True):
    """What Nexus states is not what proved records add up to."""


class NexusContractError(NexusError, is_permanent=True):
    """The fields that Nexus sends, or the table that they go into, are not those that were agreed on; nothing was stored."""


class NexusRejectedError(NexusError, is_permanent=True):
    """More records do not fit the schema than are allowed to be put aside; nothing was stored."""


class NexusStorageError(NexusError):
    """What is stored, or the database that stores it, is not as it must be. A statement that failed left nothing behind."""


class NexusStatusError(NexusError, is_permanent=True):
    """A record that was waited for is held, or ended otherwise than the task waits for.

    :param resource: name of the resource
    :param code: its code
    :param status: as Nexus wrote it
    :param what: its state, in words
    :param reason: the reason in the record itself
    """

    def __init__(self, resource: str, code: str, status: str, what: str, reason: str = "") -> None:
        self.resource, self.code = resource, without_secrets(code)
        self.status, self.reason = without_secrets(status), without_secrets(reason)
        why = f"Nexus says: {reason}. " if reason else ""
        super().__init__(f"{code!r} of {resource} is {status or 'without a status'} {what}. {why}Look at it in the Nexus portal.")


class NexusWaitError(NexusError):
    """The triggerer could not go on waiting."""


class NexusWaitTimeoutError(NexusError, is_permanent=True):
    """What was waited for did not come in time."""


class NexusApiError(NexusError):
    """A call failed. Subclasses name the cause.

    :param method: HTTP method
    :param path: path with codes blanked out, as they can be personal data
    :param status: HTTP status, if an answer came
    :param codes: Nexus' own error codes
    :param detail: Nexus' message
    :param request_id: the server's id of the request, if it gave one
    :param excerpt: a short, redacted piece of the body
    :param retry_after: seconds to wait that the server named, if any; they may be years
    :param situation: what is known on this side that can have to do with it, as sentences
    """

    advice = "Read the codes and the message above."

    def __init__(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        codes: tuple[str, ...] = (),
        detail: str = "",
        request_id: str = "",
        excerpt: str = "",
        retry_after: float | None = None,
        situation: str = "",
    ) -> None:
        self.method, self.path, self.status = method, path, status
        self.codes, self.detail, self.request_id, self.excerpt = codes, detail, request_id, excerpt
        self.retry_after, self.situation = retry_after, situation
        super().__init__(self._text())

    @property
    def pause(self) -> float:
        """Seconds to send nothing: what the server named, :data:`LONGEST_PAUSE` at most, 0 when it named none."""
        return min(float(self.retry_after or 0.0), LONGEST_PAUSE)

    def _text(self) -> str:
        is_too_long = bool(self.retry_after) and self.pause != self.retry_after
        facts = [
            f"HTTP {self.status}" if self.status else "",
            ", ".join(self.codes),
            self.detail,
            f"request id {self.request_id}" if self.request_id else "",
            f"it asks for {self.retry_after:.0f} s without a call, of which {self.pause:.0f} s are waited" if is_too_long else "",
        ]
        what = "; ".join(filter(None, facts)) or "no answer"
        return f"{self.method} {self.path}: {what}. {f'{self.situation} ' if self.situation else ''}{self.advice}"


class NexusConnectionError(NexusApiError):
    """Nexus could not be reached; the call never left."""

    advice = "Check the base URL, DNS, the proxy and the firewall between the worker and Nexus."


class NexusTimeoutError(NexusApiError):
    """No whole answer came in time."""

    advice = "Raise the timeout of the connection, or ask for less at once."


class NexusInterruptedError(NexusApiError):
    """The connection broke after the call had left."""

    advice = "Try again; if it lasts, look at what is between the worker and Nexus."


class NexusAuthenticationError(NexusApiError, is_permanent=True):
    """401: the token was not accepted."""

    advice = (
        "The token is wrong, expired, revoked or of the other environment, or a second person has not validated its Service "
        "Account yet: look it up in the Nexus Identity portal. If it is lost or has ended, make a new API key there and store it "
        "as the connection's password."
    )


class NexusPermissionError(NexusApiError, is_permanent=True):
    """403: the token is known but may not do this."""

    advice = (
        "Give the Service Account a role that allows this call, in the Nexus Identity portal under Roles: it has none at first. "
        "A default role can't be changed, but cloned, and the copy changed."
    )


class NexusNotFoundError(NexusApiError, is_permanent=True):
    """404: no such record, or the endpoint is not offered on this host."""

    advice = "Check the code; for an endpoint of the classic generation, Nexus may not offer it on this host."


class NexusConflictError(NexusApiError, is_permanent=True):
    """409: the record is not in a state that allows this, or exists already."""

    advice = "Read the record again and decide."


class NexusValidationError(NexusApiError, is_permanent=True):
    """400, 422 or another refusal: Nexus read the call and would not do it."""

    advice = "Correct what the codes name; the same call will be refused again."


class NexusRateLimitError(NexusApiError):
    """429: too many calls."""

    advice = "Call less often, or share a pool between the tasks of this connection."


class NexusServerError(NexusApiError):
    """5xx: Nexus or something before it broke."""

    advice = "Try again later; if it lasts, give Quantoz the time and the request id."


class NexusResponseError(NexusApiError):
    """An answer came that can't be read: cut, not JSON, a redirect, or not the shape that the catalogue knows."""

    advice = (
        "Check that the base URL is Nexus itself, not a portal or a proxy's page. If Nexus itself sends what is no JSON, its "
        "support has to mend it: no window that contains it can be read before."
    )


class NexusAmbiguousWriteError(NexusApiError, is_permanent=True):
    """A call that changes something may or may not have been carried out. It was not sent again.

    :param lookup: the look-up to make by hand
    """

    advice = "Look up by hand whether Nexus carried it out before anything is sent again."

    def __init__(self, method: str, path: str, *, lookup: str = "", **known: Any) -> None:
        self.lookup = lookup
        super().__init__(method, path, **known)

    def _text(self) -> str:
        return f"{super()._text()} {self.lookup}".rstrip()


class NexusClaimLostError(NexusError):
    """Another try or another task has claimed the same write. This one sent nothing; the next try looks up what became of it."""


class NexusUnsentMailError(NexusError):
    """Mails could not be delivered, or were delivered and not marked as sent in Nexus. The next try goes on with them."""


class NexusAmbiguousMailError(NexusUnsentMailError):
    """It is not known of some mails whether they went out. They are not sent again until somebody has looked."""


def fails_at_once(error: BaseException, *, looks_up_first: bool = False) -> bool:
    """Whether a task that ended in this error must not be tried again.

    :param looks_up_first: whether the task looks up what became of a call, which alone makes another try of it safe
    """
    if isinstance(error, NexusAmbiguousWriteError):
        return not looks_up_first
    return isinstance(error, NexusError) and error.is_permanent
