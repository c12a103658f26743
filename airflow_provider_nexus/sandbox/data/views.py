"""Rows that each come from a trade: the base of the resources that trades give rise to."""

from __future__ import annotations

from abc import abstractmethod

from airflow_provider_nexus.sandbox import codes
from airflow_provider_nexus.sandbox.chance import salt_of, scatter
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.data.progress import Course, long_life
from airflow_provider_nexus.sandbox.data.trades import TradeFacts, Trades
from airflow_provider_nexus.sandbox.rows import Record, Timed, blank
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline, every

_REJECTED_PERCENT = 3


class TradeView(Timed):
    """Rows that come from trades, and appear and vanish with them."""

    def __init__(self, trades: Trades, timeline: Timeline, presence: Presence) -> None:
        super().__init__(timeline, presence)
        self._trades = trades
        self._links: list[int] = []

    def link(self, trade: TradeFacts) -> int:
        """A row for a trade made over the API."""
        self._links.append(trade.row)
        return self.add(trade.created)

    def trade(self, row: int) -> TradeFacts:
        """The trade that a row comes from."""
        return self._trades.get(self.timeline.origin(row) if row < WRITTEN else self._links[row - WRITTEN])

    def row_of(self, trade_row: int) -> int | None:
        """The row that shows a trade, if one does."""
        if trade_row >= WRITTEN:
            return WRITTEN + self._links.index(trade_row) if trade_row in self._links else None
        row = self.timeline.first(self._trades.stamp(trade_row))
        while self.timeline.origin(row) < trade_row:
            row += 1
        return row if self.timeline.origin(row) == trade_row else None


class SerialView(TradeView):
    """Rows with a serial code and a status that moves with the clock, which can also be made over the API.

    Long-lived rows that are taken back after they succeeded show as ``CANCELLED``, the nearest that the documents have.

    :cvar noun: what a row is: the resource's name in the singular
    :cvar stride: how many trades there are for each row
    :cvar offset: the first trade that has one
    :cvar steps: statuses in flight, in three equal parts of the time
    :cvar succeeded: the status of success
    """

    noun: str
    stride: int
    offset: int
    steps: tuple[str, ...]
    succeeded: str

    def __init__(self, settings: SandboxSettings, trades: Trades, presence: Presence) -> None:
        super().__init__(trades, every(trades.timeline, self.stride, self.offset), presence)
        self._lives = settings.lives
        self._salt, self._life_salt = salt_of(settings.seed, self.noun), salt_of(settings.seed, f"{self.noun}-life")
        self.quick = {"status": self.status}

    def course(self, row: int) -> Course:
        """The course of a row; its fate is the status at its end."""
        if self._lives == "short":
            return self.short_course(row)
        life = long_life(scatter(self._life_salt, row))
        if life.is_cancelled:
            return Course(life.ends, "CANCELLED", is_stamped=False)
        if scatter(self._life_salt, row) % 100 < _REJECTED_PERCENT:
            return Course(life.ends, "REJECTED")
        return Course(life.ends, self.succeeded, taken_back=life.taken_back)

    @abstractmethod
    def short_course(self, row: int) -> Course:
        """The course of a row of a short life."""

    @abstractmethod
    def code(self, row: int) -> str:
        """The code of a row."""

    @abstractmethod
    def details(self, row: int, status: str, age: int) -> Record:
        """What a row has besides code, status and the stamps of its start and end."""

    def step(self, course: Course, age: int) -> str:
        """The status in flight at an age."""
        return self.steps[max(0, age) * 3 // course.settles]

    def status(self, row: int, at: int) -> str:
        """The status at a moment: settled ones in upper case."""
        pinned = self.patches.get(row, {}).get("status")
        if pinned:
            return str(pinned)
        course, age = self.course(row), at - self.stamp(row)
        if age < course.settles:
            return self.step(course, age)
        return "CANCELLED" if course.is_taken_back(age) else course.fate

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        status, course, created = self.status(row, at), self.course(row), self.stamp(row)
        known = {
            f"{self.noun}Code": self.code(row),
            "status": status,
            "created": Stamp(created),
            "finished": Stamp(created + course.settles) if status.isupper() and course.is_stamped else None,
        }
        return self.patched(row, blank(f"{self.noun}s", **known, **self.details(row, status, at - created)))

    def find(self, code: str, at: int) -> int | None:
        """The row of a code."""
        row = codes.serial_row(code)
        return row if row is not None and self.is_seen(row, at) and self.code(row) == code else None
