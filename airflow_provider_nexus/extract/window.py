"""The window that a sync reads: how it is found, and when it is settled enough to be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_nexus.api.moments import Moment, is_missing, moment
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import SECOND, to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusWindowError

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any record of Nexus."""


def _refuse_backwards(start: datetime, end: datetime) -> None:
    if end <= start:
        raise NexusWindowError(f"the window ends at {to_wire(end)}, not after its start {to_wire(start)}")


@dataclass(frozen=True)
class Window:
    """A half-open span ``[start, end)`` of creation stamps in UTC, whole seconds.

    :param how: where it came from: ``arguments``, ``params``, ``data interval``, ``watermark``, ``totals`` or ``oldest proof``
    :raises NexusWindowError: when it is empty or backwards
    """

    start: datetime
    end: datetime
    how: str = "arguments"

    def __post_init__(self) -> None:
        _refuse_backwards(self.start, self.end)

    @property
    def label(self) -> str:
        """The window as a folder name: ``20260101T000000Z-20260201T000000Z``."""
        return f"{self.start:%Y%m%dT%H%M%SZ}-{self.end:%Y%m%dT%H%M%SZ}"

    @property
    def seconds(self) -> int:
        """Its length."""
        return int((self.end - self.start).total_seconds())

    def edges(self, number: int) -> list[datetime]:
        """The ends of so many parts of it that are equally long, at full seconds; of fewer where it has not as many seconds."""
        number = min(number, self.seconds)
        return [*(self.start + SECOND * (self.seconds * place // number) for place in range(number)), self.end]

    def meets(self, other: Window) -> bool:
        """Whether a part of it lies in another one."""
        return self.start < other.end and other.start < self.end


def joined(windows: Iterable[Window]) -> Iterator[Window]:
    """Windows in order of their start, those that meet made one."""
    stored: Window | None = None
    for window in sorted(windows, key=lambda each: (each.start, each.end)):
        if stored and window.start <= stored.end:
            stored = Window(stored.start, max(stored.end, window.end))
            continue
        if stored:
            yield stored
        stored = window
    if stored:
        yield stored


ALL_TIME = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), "all time")
"""What a reading without a window is the whole of: records without a creation stamp are in it too."""


@dataclass(frozen=True)
class RequestedWindow:
    """A window as it is asked for, its ends perhaps open.

    :param start: ``None`` to go on from the watermark
    :param end: ``None`` to go up to now
    :raises NexusWindowError: when it is empty or backwards
    """

    start: datetime | None
    end: datetime | None
    how: str

    def __post_init__(self) -> None:
        if self.start and self.end:
            _refuse_backwards(self.start, self.end)


def choose_window(
    *,
    arguments: tuple[Moment, Moment] = (None, None),
    params: tuple[Moment, Moment] = (None, None),
    interval: tuple[Moment, Moment] = (None, None),
    watermark: Callable[[], Moment] = lambda: None,
    form: Collection[str] = (),
) -> RequestedWindow:
    """What is asked for: explicit arguments, else DAG params, else a data interval that is not empty, else the watermark.

    :param watermark: looks up where the last sync ended; called only when that is needed
    :param form: the params that the DAG declares, for the error: people fill them in when they trigger it
    :raises NexusWindowError: when nothing names a start, or one half is an argument and the other a param
    """
    _refuse_halves(arguments, params)

    def known_end() -> datetime | None:
        found = watermark()
        return None if is_missing(found) else moment(found, "watermark")

    for how, (start, end) in (("arguments", arguments), ("params", params)):
        if not (is_missing(start) and is_missing(end)):
            first = known_end() if is_missing(start) else moment(start, f"start of the window in the {how}")
            last = None if is_missing(end) else moment(end, f"end of the window in the {how}")
            return RequestedWindow(_needed(first, form), last, how)
    start, end = (None if is_missing(given) else moment(given, "data interval") for given in interval)
    if start and end and start < end:
        return RequestedWindow(start, end, "data interval")
    return RequestedWindow(_needed(known_end(), form), None, "watermark")


def settle(wanted: RequestedWindow, server_now: datetime, lag: timedelta) -> tuple[Window | None, float]:
    """The window to read, and the seconds to wait until it is settled.

    A window that is over waits until the settle lag has passed, so that rows which appear late are in it. An end that is
    open or in the future is cut to the server's clock minus the lag. Nothing is left to read: ``None``.
    """
    start = _floor(wanted.start or BEGINNING)
    settled = _floor(server_now - lag)
    if wanted.end is None or wanted.end > server_now:
        return (Window(start, settled, wanted.how), 0.0) if settled > start else (None, 0.0)
    window = Window(start, _floor(wanted.end), wanted.how)
    return window, max(0.0, (window.end + lag - server_now).total_seconds())


def server_now(client: NexusClient, resource: Resource) -> datetime:
    """The time by the server's clock, asked for if no answer has had it yet, in whole seconds.

    The worker's own clock is never asked: the time decides which records have to be there.

    :raises NexusWindowError: when the server's answers have no time
    """
    if client.session.server_now is None:
        asked = get_resource(resource.parent) if resource.parent else resource
        client.fetch(asked, params={"page": 1, "limit": 1} if asked.is_windowed else None)
    now = client.session.server_now
    if now is None:
        raise NexusWindowError("the server sends no Date header, so it is not known which records are settled")
    return _floor(now)


def settled_window(
    client: NexusClient, resource: Resource, requested: RequestedWindow, lag: timedelta, log: Log, sleep: Callable[[float], None]
) -> Window | None:
    """The window to read now, waited for until it is settled; ``None`` when nothing is settled yet."""
    for bound in (requested.start, requested.end):
        if bound and bound.microsecond:
            log.info("%s: %s is cut to %s, as Nexus shows whole seconds", resource.name, bound.isoformat(), to_wire(bound))
    window, wait = settle(requested, server_now(client, resource), lag)
    if window is None:
        log.info("%s: nothing is settled yet (lag %s)", resource.name, lag)
    elif wait:
        log.info("%s: waiting %.0f s until the window is settled (lag %s)", resource.name, wait, lag)
        sleep(wait)
    return window


def _refuse_halves(arguments: tuple[Moment, Moment], params: tuple[Moment, Moment]) -> None:
    """Refuse a window of which each half is given in another place: arguments win over params as a whole."""
    names = ("window_start", "window_end")
    given, asked = ({name for name, end in zip(names, ends, strict=True) if not is_missing(end)} for ends in (arguments, params))
    if given and (left := sorted(asked - given)):
        raise NexusWindowError(
            f"{', '.join(sorted(given))} is an argument of the operator and {', '.join(left)} a param of the run, which would be "
            "ignored: give both in one place"
        )


def _needed(start: datetime | None, form: Collection[str]) -> datetime:
    if start is None:
        end = " (and window_end, else up to now)"
        give = f"Give window_start{end} as an argument of the operator or as a param of the run"
        if "window_start" in form:
            give = f"Trigger the DAG again with its param window_start{end if 'window_end' in form else ''} filled in"
        raise NexusWindowError(f"no window: this run has no data interval and no earlier sync left a watermark. {give}")
    return start


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
