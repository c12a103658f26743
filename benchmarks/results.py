"""The results of a run as the page needs them: ratios by round, their medians and ranges."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from benchmarks.environments import versions_of
from benchmarks.ways import BARE, Conditions

LIBRARIES = ("airflow-provider-nexus", "apache-airflow", "requests", "msgspec", "pyarrow", "sqlalchemy", "psycopg")
PEERS = {"airflow_http": "apache-airflow-providers-http", "dlt_files": "dlt", "singer": "singer-sdk"}


@dataclass(frozen=True)
class Ratio:
    """Records a second of one way against another in the same rounds.

    :param middle: the median
    :param low: the least of a round
    :param high: the most
    """

    middle: float
    low: float
    high: float


@dataclass
class Measured:
    """What was measured under the same conditions.

    :param runs: what each run of each way took
    """

    conditions: Conditions
    runs: Mapping[str, list[dict[str, Any]]]

    def ratio(self, way: str, to: str = BARE) -> Ratio | None:
        """One way against another, round by round; ``None`` where one of them was not measured."""
        if way not in self.runs or to not in self.runs:
            return None
        rounds = zip(self.runs[way], self.runs[to], strict=True)
        ratios = [(mine["records"] / mine["seconds"]) / (other["records"] / other["seconds"]) for mine, other in rounds]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))

    def rate(self, way: str) -> float:
        """Records a second, the median."""
        return statistics.median(float(run["records"] / run["seconds"]) for run in self.runs[way])

    def cpu(self, way: str) -> float:
        """CPU microseconds a record, the median."""
        return statistics.median(float(run["cpu"] / run["records"] * 1e6) for run in self.runs[way])

    def further_calls(self, way: str) -> int:
        """Calls beyond one for each page."""
        pages = -(-self.conditions.records // self.conditions.page_size)
        return int(statistics.median(run["calls"] for run in self.runs[way])) - pages


@dataclass
class Results:
    """All that a run has measured; what it has not is empty.

    :param rounds: runs of each way
    :param machine: its shape
    :param versions: of what was compared
    :param left_out: why a way was not measured, by name
    :param memory: MB over import by way and number of records
    :param imports: CPU milliseconds and modules over ``airflow.sdk``
    :param task: seconds of an empty task and of a sync, by round
    :param profiles: module, function, library and share, by way
    :param floors: CPU microseconds a record of what can't be done without
    :param growth: of loads into Delta tables, by rows of the table: seconds and MB by where the changes lie
    :param loads: of loads into one Delta table: median seconds of each tenth, and files after it
    """

    rounds: int = 0
    machine: str = ""
    versions: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    memory: dict[str, dict[int, float]] = field(default_factory=dict)
    imports: dict[str, tuple[float, int]] = field(default_factory=dict)
    task: list[dict[str, float]] = field(default_factory=list)
    profiles: dict[str, list[tuple[str, str, str, float]]] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    growth: dict[int, dict[str, Any]] = field(default_factory=dict)
    loads: dict[str, list[float]] = field(default_factory=dict)

    @property
    def undelayed(self) -> Measured | None:
        """What was measured without latency, with pages of 100."""
        return next((each for each in self.measured if not each.conditions.latency), None)

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Results:
        """What was dumped."""
        measured = [Measured(Conditions(**each["conditions"]), each["runs"]) for each in stored.pop("measured")]
        memory = {way: {int(size): took for size, took in found.items()} for way, found in stored.pop("memory").items()}
        growth = {int(size): took for size, took in stored.pop("growth", {}).items()}
        return cls(measured=measured, memory=memory, growth=growth, **stored)


def machine() -> str:
    """The shape of the machine, without its name."""
    return f"{os.cpu_count()} cores, {platform.system()} on {platform.machine()}, Python {platform.python_version()}"


def versions() -> Iterator[str]:
    """What was compared, by name and version."""
    yield from (f"{name} {version(name)}" for name in LIBRARIES)
    for environment, name in PEERS.items():
        yield f"{name} {versions_of(environment)[name]}"
