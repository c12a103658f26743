"""A round with customers that are deleted while it runs, on a server that is scripted from the facts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusNotFoundError
from airflow_provider_nexus.extract.screening import count_hits
from airflow_provider_nexus.load.sql.evidence import Evidence
from airflow_provider_nexus.load.sql.screening import ScreeningRound
from tests.client.serving import session_for
from tests.client.socket_server import Asked, SocketServer, answer

STAMP, NOW = "2026-05-02T00:00:00Z", datetime(2026, 6, 2, tzinfo=UTC)
FINDINGS = dict.fromkeys(("hit", "unclear", "refused", "nothing_to_search"), 0)
RUN = {"dag_id": "d", "run_id": "r", "task_id": "t", "try_number": 1}


def values(found: Any) -> bytes:
    body = json.dumps({"message": "", "errors": None, "values": found}).encode()
    return answer(body, Date="Tue, 02 Jun 2026 00:00:00 GMT", Content_Type="application/json")


def page(*records: dict[str, Any]) -> bytes:
    return values({"page": 1, "total": len(records), "totalPages": 1, "filteringParameters": {}, "records": records})


@contextmanager
def round_of(
    folder: Path, customers: list[str], gone: set[str], *, lists_them: bool = False
) -> Iterator[tuple[ScreeningRound, Evidence]]:
    """A round on a server.

    :param gone: codes of customers that are deleted once they are listed, or paths behind ``/customer/`` that it does not offer
    :param lists_them: whether they are listed all the same
    """
    deleted = set[str]()

    def reply(asked: Asked) -> bytes:
        path = asked.target.partition("?")[0]
        code = path.split("/")[2] if path.startswith("/customer/") else ""
        if code in gone or path.removeprefix("/customer/") in gone:
            deleted.update({code} & gone - ({code} if lists_them else set()))
            return answer(status=404)
        if path == "/customer":
            return page(
                *({"customerCode": code, "name": f"N {code}", "created": STAMP} for code in customers if code not in deleted)
            )
        if path == "/sanction/lists/uploads":
            return values([{"code": "EU", "version": "1", "status": "Live", "created": STAMP}])
        if path == "/sanction/search":
            return values({"listResults": {"EU": [{"name": "N hit"}] if b"N hit" in asked.body else []}})
        return page() if path.endswith("/person") or path == "/accounts" else values({"customerCode": code})

    evidence = Evidence(sa.create_engine(f"sqlite:///{folder / 'evidence.db'}"), "nexus_screening")
    evidence.prepare()
    with SocketServer(by=reply) as server, session_for(server.base_url, writes=False) as session:
        options: Any = {"query": {}, "hits_of": count_hits, "personal": "drop", "secret": ""}
        yield ScreeningRound(NexusClient(session), evidence, "R", RUN, **options, log=logging.getLogger(__name__)), evidence


def test_a_customer_that_is_deleted_meanwhile_is_listed(tmp_path: Path) -> None:
    with round_of(tmp_path, ["a", "b", "c"], {"b"}) as (screening, evidence):
        screening.screen(NOW, {"": 0})
        summary = evidence.summary("R")
    assert summary == {
        **{"round": "R", "complete": True, "customers": 3, "clear": 3, "deleted": 1, "undecided": 0},
        **FINDINGS,
        "decisions": {},
    }


def test_what_was_found_of_a_deleted_customer_is_still_judged(tmp_path: Path) -> None:
    with round_of(tmp_path, ["hit"], {"hit"}) as (screening, evidence):
        screening.screen(NOW, {"": 0})
        assert evidence.summary("R") | {"hit": 1, "deleted": 1, "undecided": 1} == evidence.summary("R")


def test_a_customer_that_is_listed_was_not_deleted_whatever_a_route_answers(tmp_path: Path) -> None:
    with round_of(tmp_path, ["a", "b"], {"a", "b"}, lists_them=True) as (screening, evidence):
        with pytest.raises(NexusNotFoundError):
            screening.screen(NOW, {"": 0})
        assert evidence.summary("R") | {"complete": False, "deleted": 0} == evidence.summary("R")


def test_persons_that_nexus_does_not_offer_are_no_deleted_customer(tmp_path: Path) -> None:
    with round_of(tmp_path, ["a"], {"a/person"}) as (screening, evidence):
        with pytest.raises(NexusNotFoundError):
            screening.screen(NOW, {"": 0})
        assert evidence.summary("R") == {
            **{"round": "R", "complete": False, "customers": 1, "clear": 1, "deleted": 0, "undecided": 0},
            **FINDINGS,
            "decisions": {},
        }
