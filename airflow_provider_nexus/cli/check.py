"""`airflow nexus check`: what a connection can do and what its server honours, found out by reads that change nothing."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from airflow_provider_nexus.api.envelope import decode
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import following, print_json, print_table
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.expiry import Stage
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import (
    NexusError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusValidationError,
    without_secrets,
)
from airflow_provider_nexus.extract.source import Page, Source, second_of

LARGEST = 2000
"""Records asked for to see how many a server gives in one answer."""
DRIFT = timedelta(seconds=60)
"""A difference between the clocks that is worth a word. Windows go by the server's clock, so it does no harm by itself."""
ASKED = "transactions", "broker_transactions", "mails", "customers"
"""The resources by which the server is looked at: the first that answers and has records."""


class Grade(StrEnum):
    """How good a finding is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One thing that was found out: what was looked at, and what was seen, for a person."""

    what: str
    grade: Grade
    detail: str


_MARKS = {Grade.OK: "ok", Grade.NOTE: "note", Grade.WARNING: "WARNING", Grade.FAILED: "FAILED"}
_OF_STAGE = {Stage.FAR: Grade.OK, Stage.SOON: Grade.WARNING, Stage.OVER: Grade.FAILED}


@running.command
def run(arguments: Namespace) -> int:
    """Look at a connection; 1 when something is a failure, or a warning and ``--strict`` is given."""
    findings = list[Finding]()
    with running.nexus(arguments.nexus_conn_id) as hook, following("looking", "findings") as follow:
        probe = Probe(hook.client, warning_days=arguments.key_warning_days)
        for finding in probe.findings():
            findings.append(finding)
            follow(len(findings), None)
    if arguments.output == "table":
        rows = [(finding.what, _MARKS[finding.grade], finding.detail) for finding in findings]
        print_table(f"Connection {arguments.nexus_conn_id}", ("what", "", "seen"), rows)
    else:
        print_json([dataclasses.asdict(finding) for finding in findings])
    bad = (Grade.FAILED, Grade.WARNING) if arguments.strict else (Grade.FAILED,)
    return running.PROBLEMS if any(finding.grade in bad for finding in findings) else 0


@dataclass(frozen=True)
class Probe:
    """Looks at a connection.

    :param warning_days: days before a token's end from which on it is a warning; by default the connection's
    :param now: the time by this machine's clock
    """

    client: NexusClient
    _: dataclasses.KW_ONLY
    warning_days: int | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def findings(self) -> Iterator[Finding]:
        """All findings as they are made, by reads alone; none of them after a failure to reach or to be let in."""
        yield (first := self._reach())
        yield self._expiry()
        if first.grade is Grade.FAILED:
            return
        yield self._clock()
        yield from self._rate_limit()
        pages: dict[str, Page] = {}
        for resource in RESOURCES.values():
            if not resource.parent:
                finding, page = self._role(resource)
                yield finding
                pages |= {resource.name: page} if page and page.rows else {}
        known = next((RESOURCES[name] for name in ASKED if name in pages), None)
        if known:
            yield from self._server(known, pages[known.name].rows[0])

    def _reach(self) -> Finding:
        environment = self.client.session.environment
        where = f"{environment.name} ({environment.base_url})"
        try:
            values = self.client.run("GET", "/labelpartner")
        except NexusPermissionError:
            return Finding("connection", Grade.OK, f"{where} takes the token; its roles do not let it read the tenant")
        except NexusError as error:
            return Finding("connection", Grade.FAILED, f"{where}: {error}")
        code = (values or {}).get("labelPartnerCode")
        return Finding("connection", Grade.OK, f"{where} answers as tenant {without_secrets(str(code or '?'))}")

    def _expiry(self) -> Finding:
        session = self.client.session
        expiry, now = session.settings.expiry, session.server_now or self.now()
        if expiry is None:
            detail = "it is not known when it ends: look it up in the Nexus Identity portal, and put it into key_expires"
            return Finding("token", Grade.NOTE, detail)
        if self.warning_days is not None:
            expiry = dataclasses.replace(expiry, warning_days=self.warning_days)
        return Finding("token", _OF_STAGE[expiry.stage(now)], expiry.warning(now) or expiry.words(now))

    def _clock(self) -> Finding:
        server = self.client.session.server_now
        if server is None:
            return Finding("clock", Grade.WARNING, "the server sends no Date header: syncs can't know which records are settled")
        ahead = (server - self.now()).total_seconds()
        grade = Grade.OK if abs(ahead) <= DRIFT.total_seconds() else Grade.WARNING
        apart = timedelta(seconds=abs(round(ahead)))
        return Finding("clock", grade, f"the server's is {_lasting(apart)} {'ahead' if ahead >= 0 else 'behind'}")

    def _rate_limit(self) -> Iterator[Finding]:
        session = self.client.session
        if store := session.settings.rate_limit_store:
            how = "for this machine alone, as it can't be shared through" if store.is_lost else "shared through"
            grade = Grade.WARNING if store.is_lost else Grade.OK
            yield Finding("rate limit", grade, f"{session.settings.rate_limit:g} calls a second, {how} {store}")

    def _role(self, resource: Resource) -> tuple[Finding, Page | None]:
        what = f"read {resource.name}"
        source = Source(self.client, resource)
        try:
            page = source.page(limit=1) if resource.shape is Shape.PAGED else source.whole()
        except NexusPermissionError:
            return Finding(what, Grade.WARNING, "the token's roles do not allow it"), None
        except NexusNotFoundError:
            return Finding(what, Grade.NOTE, "not offered here"), None
        except NexusError as error:
            return Finding(what, Grade.FAILED, str(error)), None
        count = (
            number_of(page.total, "record") if page.total is not None else f"{number_of(len(page.rows), 'record')} in the answer"
        )
        return Finding(what, Grade.OK, count), page

    def _server(self, resource: Resource, row: Row) -> Iterator[Finding]:
        source, second = Source(self.client, resource), second_of(row.stamp)
        looks: dict[str, Callable[[], Finding]] = {
            "sorting": lambda: _sorting(resource, source.page(limit=50)),
            "lower bound": lambda: _bound("lower bound", source.page(second, second + 2 * SECOND), row),
            "upper bound": lambda: _bound("upper bound", source.page(second - 2 * SECOND, second), row),
            "largest page": lambda: _largest(source),
            "dates": lambda: _dates(resource, row),
            "api_version": lambda: self._version(resource),
        }
        for what, look in looks.items():
            try:
                yield look()
            except NexusError as error:
                yield Finding(what, Grade.WARNING, f"can't be found out: {error}")

    def _version(self, resource: Resource) -> Finding:
        other = "1.1" if resource.api_version != "1.1" else "1.0"
        try:
            self.client.run("GET", resource.path, params={"page": 1, "limit": 1}, api_version=other)
        except NexusError:
            return Finding("api_version", Grade.OK, f"{resource.api_version} is answered, {other} is not")
        return Finding("api_version", Grade.NOTE, f"{resource.api_version} is answered, and so is {other}")


def _lasting(span: timedelta) -> str:
    """A span of time for a person: in the largest unit of which it is at least two."""
    units = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1), "second": timedelta(seconds=1)}
    noun = next((noun for noun, unit in units.items() if span >= 2 * unit), "second")
    return number_of(round(span / units[noun]), noun)


def _sorting(resource: Resource, page: Page) -> Finding:
    stamps = [each.stamp for each in page.rows]
    if stamps == sorted(stamps) and len(set(stamps)) > 1:
        return Finding("sorting", Grade.OK, f"{resource.name} come oldest first, as asked")
    text = f"{resource.name} come in another order than asked for: windows are read by halving, which costs more calls"
    return Finding("sorting", Grade.NOTE, text)


def _largest(source: Source) -> Finding:
    try:
        page = source.page(limit=LARGEST)
    except NexusValidationError:
        return Finding("largest page", Grade.NOTE, f"{LARGEST:,} records in one answer are refused")
    more = page.total is not None and page.total > len(page.rows)
    seen = number_of(len(page.rows), "record")
    text = f"{seen} when {LARGEST:,} are asked for" if more else f"at least {seen}: there are no more"
    return Finding("largest page", Grade.OK, text)


def _dates(resource: Resource, row: Row) -> Finding:
    sent = str(at(decode(row.raw), resource.created.stamp if resource.created else resource.stamp))
    if sent == f"{row.stamp[:19]}Z":
        return Finding("dates", Grade.OK, f"the one form asked for: {without_secrets(sent)}")
    return Finding("dates", Grade.NOTE, f"another form: {without_secrets(sent)}")


def _bound(what: str, page: Page, row: Row) -> Finding:
    is_in = any(each.key == row.key for each in page.rows)
    text = "a record of that second is in" if is_in else "a record of that second is left out"
    return Finding(what, Grade.OK, f"{text} (syncs ask one second wider, so either is fine)")
