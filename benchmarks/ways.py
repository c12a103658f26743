"""What is compared, and under which conditions."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "ours"
"""The environment that the benchmark itself runs in."""


@dataclass(frozen=True)
class Way:
    """One way to read the records.

    :param label: its name on the page
    :param work: module and function that prepare it
    :param environment: what it runs in; other names than :data:`OURS` are those of a file of requirements in ``peers``
    :param goal: the ratio to the bare loop without latency that is wanted
    """

    label: str
    work: str
    environment: str = OURS
    goal: float | None = None


BARE = "bare"
COPY = "copy"
WAYS = {
    BARE: Way("bare loop", "benchmarks.peers.bare:loop"),
    "iter_records": Way("``iter_records``", "benchmarks.ours:iter_records", goal=0.8),
    "json": Way("JSON lines", "benchmarks.ours:json_lines", goal=0.8),
    "json8": Way("JSON lines, ``parallel=8``", "benchmarks.ours:json_lines_parallel"),
    "parquet": Way("Parquet", "benchmarks.ours:parquet", goal=0.5),
    "sqlite": Way("SQLite", "benchmarks.ours:sqlite", goal=0.25),
    "postgresql": Way("PostgreSQL", "benchmarks.ours:postgresql"),
    COPY: Way("``COPY`` alone", "benchmarks.ours:postgresql_copy"),
    "http": Way("HttpOperator", "benchmarks.peers.airflow_http:operator", "airflow_http"),
    "dlt_json": Way("dlt, JSON lines", "benchmarks.peers.dlt_files:json_lines", "dlt_files"),
    "dlt_parquet": Way("dlt, Parquet", "benchmarks.peers.dlt_files:parquet", "dlt_files"),
    "singer": Way("singer-sdk, no target", "benchmarks.peers.singer:tap", "singer"),
}


@dataclass(frozen=True)
class Conditions:
    """What all ways are measured under.

    :param latency: milliseconds that each answer takes longer
    :param page_size: records in an answer
    :param records: that are read in one run: as many as keep a run to a few seconds
    :param ways: those that are measured
    """

    latency: int
    page_size: int
    records: int
    ways: tuple[str, ...] = tuple(WAYS)


_BY_LATENCY = tuple(name for name in WAYS if name not in (COPY, "singer"))
CONDITIONS = (
    Conditions(0, 100, 20_000, tuple(name for name in WAYS if name != "json8")),
    Conditions(0, 500, 20_000, (BARE, "iter_records", "json", "parquet", "postgresql", "http", "dlt_json", "dlt_parquet")),
    Conditions(20, 100, 20_000, _BY_LATENCY),
    Conditions(100, 100, 5_000, _BY_LATENCY),
)
