"""The parallel walk: a window is read in sub-windows side by side, in threads, and given out in order as if one after another.

Each thread has a session of its own; rate limit, pauses and log are shared. What a thread reads ahead of its turn waits packed in
memory, as personal data in it must not get to a disk; when too much waits, threads wait for their turn. What a thread asks of the
connection, a new token, is asked in the thread that began the walk.
"""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import msgspec

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.extract.source import Doubt, Page, Source, second_of
from airflow_provider_nexus.extract.window import Window

if TYPE_CHECKING:
    from airflow_provider_nexus.client.session import NexusSession
    from airflow_provider_nexus.extract.proved_read import Count

T = TypeVar("T")
NAME = "nexus sub-window"
"""Name of the threads."""
_DEFAULT, _WORTH = 4, 5000
"""Sub-windows that are read at once by default, of so many records or more."""
_LEAST, _PAGES = 4, 10
"""Pages that a sub-window must have to be one, and should have: each costs a call more than its pages, and half a page."""
_PARTS = 4
"""Sub-windows for each thread: with several, one that is slow holds up less."""
_RECORDS, _MOST = 5000, 10_000
"""Records that a sub-window should have at most, so that it can be read ahead as a whole, and sub-windows of one window."""
_MOST_PARTS = 64
"""Parts that a sub-window is cut into, whatever the server counts."""
_SKEW = 2
"""A sub-window with so many times the records that it should have is cut again."""
_MOST_CUTS = 16
"""Times that this is done: records that are all of one day of many years need four."""
_AHEAD = 2
"""Groups of the sub-window whose turn it is that wait as they are."""
_ROOM = 1 << 20
"""Bytes of packed records that may wait, for each thread."""

Walk = Callable[[Source, Window], "tuple[Count, Iterator[list[Row]]]"]
"""Walks one sub-window: groups of its rows and of those around it, and the counts, complete when the groups end."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[str, str, bytes, str]]).decode


class _StoppedError(Exception):
    """The walk has ended, so its threads end too."""


@dataclass(eq=False)
class _Part:
    """One sub-window: its first stamp, that of the next one, and its groups, as they are or packed, until they are given out."""

    window: Window
    low: str
    high: str
    groups: deque[list[Row] | bytes] = field(default_factory=deque)
    is_taken: bool = False
    is_done: bool = False


def parts_of(source: Source, start: datetime, end: datetime, first: Page, most: int | None) -> tuple[int, list[Window]]:
    """How many threads are worth it, and the sub-windows that they are to read; one thread when nothing is gained by more.

    They are equally long from the oldest record on, since a window may begin years before it.

    :param start: from where on is to be read
    :param first: the first page from there, and its count
    :param most: sub-windows at once, at most; ``None`` to choose by size
    """
    total, rate = first.total or 0, source.client.session.settings.rate_limit
    if most is None:
        most = _DEFAULT if total >= _WORTH else 1
        most = min(most, max(1, int(rate))) if rate else most
    pages = total // max(1, len(first.rows))
    threads = min(most, pages // _LEAST)
    if threads < 2 or (oldest := max(start, second_of(first.rows[0].stamp))) >= end:
        return 1, []
    number = max(threads * min(_PARTS, max(1, pages // (_PAGES * threads))), total // _RECORDS)
    edges = Window(oldest, end).edges(min(number, _MOST))
    parts = [Window(*each) for each in pairwise([start, *edges[1:]])]
    return min(threads, len(parts)), parts


class ParallelWalk:
    """Reads the sub-windows of a window.

    A failure of one ends all, and comes out as it is.

    :param parts: the sub-windows, one behind the other
    :param threads: how many are read at once
    :param total: records of all of them, as the server counts
    """

    def __init__(self, source: Source, parts: list[Window], threads: int, total: int, walk: Walk) -> None:
        self._source, self._walk, self._share, self._cuts = source, walk, max(1, total // len(parts)), 0
        self._start, self._end = parts[0].start, parts[-1].end
        self._parts = [self._part(window) for window in parts]
        self._changed, self._stop = threading.Condition(), threading.Event()
        self._waiting, self._room = 0, _ROOM * threads
        self._failure: BaseException | None = None
        self._asked: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._sessions = source.client.session.twins(threads, self._sleep, self._ask)

    def groups(self) -> Generator[list[Row]]:
        """Groups of rows, each once, ascending by stamp and key. When it is closed, no thread is left.

        :raises Doubt: when a sub-window's answers contradict each other, or its own counts do
        :raises NexusApiError: of a call of any of them
        """
        threads = [threading.Thread(target=self._work, args=(each,), name=NAME, daemon=True) for each in self._sessions]
        try:
            for thread in threads:
                thread.start()
            while self._parts:
                if rows := self._next():
                    yield rows
        finally:
            self._end_all(threads)

    def _next(self) -> list[Row]:
        """The next group; an empty one where something else was to be done first."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._asked or self._parts[0].groups or self._parts[0].is_done)
            if self._failure:
                raise self._failure
            asked, groups = self._asked.popleft() if self._asked else None, self._parts[0].groups
            group = groups.popleft() if groups and not asked else []
            if isinstance(group, bytes):
                self._waiting -= len(group)
            elif not group and not asked:
                self._parts.pop(0)
            self._changed.notify_all()
        if asked:
            _answer(*asked)
        if isinstance(group, list):
            return group
        return [Row(stamp, key, raw, None, flaw) for stamp, key, raw, flaw in _unpack(zlib.decompress(group))]

    # What follows runs in the threads.

    def _work(self, session: NexusSession) -> None:
        source = self._source.beside(session, self._count_page)
        try:
            while part := self._take():
                self._read(part, source)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the walk is used
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
        finally:
            session.close()

    def _take(self) -> _Part | None:
        with self._changed:
            part = next((part for part in self._parts if not part.is_taken), None)
            if part:
                part.is_taken = True
            return part

    def _read(self, part: _Part, source: Source) -> None:
        count, groups = self._walk(source, part.window)
        for number, group in enumerate(groups):
            if number == 0 and self._is_cut(part, count.total_first or 0):
                return
            if rows := [row for row in group if part.low <= row.stamp < part.high]:
                self._put(part, rows)
        if count.verdict is Verdict.UNPROVED:
            raise Doubt(f"in a sub-window {count.doubt}")
        with self._changed:
            part.is_done = True
            self._changed.notify_all()

    def _put(self, part: _Part, rows: list[Row]) -> None:
        def is_next() -> bool:
            return part is self._parts[0] and len(part.groups) < _AHEAD

        group: list[Row] | bytes = rows
        if not is_next():
            group = zlib.compress(_pack([(row.stamp, row.key, row.raw, row.flaw) for row in rows]), 1)
        with self._changed:
            self._changed.wait_for(lambda: is_next() or self._waiting < self._room or self._stop.is_set())
            part.groups.append(group)
            self._waiting += len(group) if isinstance(group, bytes) else 0
            self._changed.notify_all()

    def _is_cut(self, part: _Part, total: int) -> bool:
        """Have a sub-window read in smaller ones, if it has far more records than its share."""
        with self._changed:
            if total <= _SKEW * self._share or part.window.seconds == 1 or self._cuts == _MOST_CUTS:
                return False
            self._cuts += 1
            edges, place = part.window.edges(min(-(-total // self._share), _MOST_PARTS)), self._parts.index(part)
            self._parts[place : place + 1] = [self._part(Window(*each)) for each in pairwise(edges)]
            return True

    def _part(self, window: Window) -> _Part:
        low = "" if window.start == self._start else f"{window.start:%FT%T}"
        return _Part(window, low, "~" if window.end == self._end else f"{window.end:%FT%T}")

    def _count_page(self, page: Page) -> None:
        with self._changed:
            if self._stop.is_set():
                raise _StoppedError
            self._source.on_page(page)

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _StoppedError

    def _ask(self, question: Callable[[], T]) -> T:
        """What a function returns that is called in the thread of who uses the walk."""
        answer: Future[T] = Future()
        with self._changed:
            self._asked.append((question, answer))  # type: ignore[arg-type]
            self._changed.notify_all()
        return answer.result()

    # What follows runs in the thread of who uses the walk.

    def _end_all(self, threads: list[threading.Thread]) -> None:
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        for session, thread in zip(self._sessions, threads, strict=True):
            while thread.is_alive():
                with self._changed:
                    for _, answer in self._asked:
                        answer.cancel()
                session.abort()
                thread.join(0.1)
            self._source.client.session.calls += session.calls


def _answer(question: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(question())
    except Exception as error:  # noqa: BLE001 - it is raised where the question was asked
        answer.set_exception(error)
    except BaseException:
        answer.cancel()
        raise
