"""What an answer to a sanction search means, and who is due; answers come from a socket, as the facts leave their shape open."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusApiError, NexusConfigurationError
from airflow_provider_nexus.extract.screening import _name, _people, count_hits, live_lists, search, subjects_of, why_due
from tests.client.serving import session_for
from tests.client.socket_server import Asked, SocketServer, answer, drop

NOW = datetime(2026, 6, 2, tzinfo=UTC)
DAYS = {"High": 30, "Low": 300}


def values(found: Any) -> bytes:
    return answer(json.dumps({"message": "", "errors": None, "values": found}).encode(), Content_Type="application/json")


def searched(*replies: Any, query: dict[str, Any] | None = None) -> tuple[Any, list[Asked]]:
    with SocketServer(*replies) as server, session_for(server.base_url, writes=False) as session:
        return search(NexusClient(session), query or {"name": "A"}, count_hits), server.asked


@pytest.mark.parametrize(
    ("found", "outcome", "hits"),
    [
        ({"listResults": {"EU": [], "OFAC": []}}, "clear", {}),
        ({"listResults": {}}, "clear", {}),
        ({"listResults": {"EU": None}}, "clear", {}),
        ({"ListResults": {"EU": {"names": [], "aliases": None}}}, "clear", {}),
        ({"listResults": []}, "clear", {}),
        ({"listResults": {"EU": [{"name": "A"}, None], "UN": []}}, "hit", {"EU": 2}),
        ({"listResults": {"EU": {"version": "52.0", "names": ["A"], "more": {"aliases": ["B"]}}}}, "hit", {"EU": 2}),
        ({"listResults": [{"name": "A"}]}, "hit", {"": 1}),
        ({"listResults": {"EU": {"version": "52.0", "names": []}}}, "unclear", {}),
        ({"listResults": {"EU": {"isMatch": False}}}, "unclear", {}),
        ({"listResults": {"EU": False, "UN": []}}, "unclear", {}),
        ({"listResults": {"EU": ""}}, "unclear", {}),
        ({"listResults": {"EU": 0}}, "unclear", {}),
        ({"listResults": None}, "unclear", {}),
        ({"listResults": "none"}, "unclear", {}),
        ({"results": {}}, "unclear", {}),
        ({}, "unclear", {}),
        ([], "unclear", {}),
        (None, "unclear", {}),
        ("", "unclear", {}),
    ],
)
def test_only_an_answer_that_is_understood_is_clear(found: Any, outcome: str, hits: dict[str, int]) -> None:
    result, _ = searched(values(found))
    assert (result.outcome, result.hits) == (outcome, hits)


@pytest.mark.parametrize("reply", [answer(status=400), answer(b"{}", 422), answer(b"<html>", 413)], ids=["400", "422", "413"])
def test_a_search_that_is_refused_is_no_answer(reply: bytes) -> None:
    result, asked = searched(reply)
    assert (result.outcome, result.values, len(asked)) == ("refused", None, 1)
    assert result.note.startswith("HTTP 4")


def test_a_name_that_no_body_can_carry_is_refused_and_not_sent() -> None:
    result, asked = searched(query={"name": "A\ud800"})
    assert (result.outcome, asked) == ("refused", [])


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_search_that_failed_has_no_outcome(status: int) -> None:
    with pytest.raises(NexusApiError):
        searched(answer(status=status))


@pytest.mark.parametrize("reply", [drop, answer(b"<html>"), answer(b'{"values": {"listResults"')])
def test_an_answer_that_is_cut_off_has_no_outcome(reply: Any) -> None:
    with pytest.raises(NexusApiError):
        searched(reply)


def test_a_search_that_failed_on_its_way_is_made_again() -> None:
    result, asked = searched(answer(status=503), drop, values({"listResults": {"EU": [1]}}))
    assert (result.outcome, len(asked)) == ("hit", 3)
    assert [json.loads(each.body) for each in asked] == [{"name": "A"}] * 3


def test_an_error_in_a_success_is_no_answer() -> None:
    result, _ = searched(answer(b'{"message": "no", "errors": ["ListsNotLoaded"], "values": {"listResults": {}}}'))
    assert (result.outcome, result.note) == ("refused", "HTTP 200")


@pytest.mark.parametrize("uploads", [[], [{"code": "EU", "version": "1", "status": "Disabled"}], None])
def test_without_a_list_that_is_live_nobody_is_searched(uploads: Any) -> None:
    with (
        SocketServer(values(uploads)) as server,
        session_for(server.base_url) as session,
        pytest.raises((NexusConfigurationError, NexusApiError)),
    ):
        live_lists(NexusClient(session), session_log())


def test_the_newest_live_version_counts() -> None:
    uploads = [
        {"code": "EU", "version": "9", "status": "LIVE", "created": "2026-05-02T00:00:00Z"},
        {"code": "EU", "version": "10", "status": "Live", "created": "2026-05-03T00:00:00Z"},
        {"code": "EU", "version": "11", "status": "Deleted", "created": "2026-05-04T00:00:00Z"},
        {"code": "UN", "version": None, "status": "Live", "created": None},
    ]
    with SocketServer(values(uploads)) as server, session_for(server.base_url) as session:
        assert live_lists(NexusClient(session), session_log()) == {"EU": "10", "UN": ""}


def session_log() -> Log:
    import logging

    return logging.getLogger(__name__)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({}, "never reviewed"),
        ({"latestReview": None, "isReviewRecommended": True}, "never reviewed"),
        ({"latestReview": "2026-13-45", "riskQualification": "Low"}, "never reviewed"),
        ({"latestReview": NOW, "isReviewRecommended": True, "riskQualification": "Low"}, "review recommended"),
        ({"latestReview": NOW - timedelta(days=30), "riskQualification": "HIGH"}, "reviewed 30 days ago or earlier"),
        ({"latestReview": NOW - timedelta(days=30, seconds=-1), "riskQualification": "High"}, ""),
        ({"latestReview": NOW - timedelta(days=31), "riskQualification": "Low"}, ""),
        ({"latestReview": NOW - timedelta(days=31), "riskQualification": "Extreme"}, "reviewed 30 days ago or earlier"),
        ({"latestReview": NOW - timedelta(days=31), "riskQualification": None}, "reviewed 30 days ago or earlier"),
        (
            {"latestreview": pendulum.instance(NOW - timedelta(days=30)).in_timezone("Asia/Tokyo")},
            "reviewed 30 days ago or earlier",
        ),
        ({"latestReview": NOW + timedelta(days=1), "riskQualification": "High"}, ""),
    ],
)
def test_who_is_due(record: dict[str, Any], why: str) -> None:
    assert why_due(record, NOW, DAYS) == why
    assert why_due(record, NOW.astimezone(timezone(timedelta(hours=-11))), DAYS) == why


def page(records: list[dict[str, Any]]) -> bytes:
    return values({"page": 1, "total": len(records), "totalPages": 1, "filteringParameters": {}, "records": records})


def test_every_subject_of_a_customer_is_found_or_listed() -> None:
    stamp = "2026-05-02T00:00:00Z"
    persons: list[dict[str, Any]] = [
        {"id": "p1", "firstName": " Zoë ", "lastName": "O'Neil\"", "dateOfBirth": "1970-01-31", "createdOn": stamp},
        {"id": "p2", "firstName": None, "lastName": "", "createdOn": stamp},
        {"id": "p3", "lastName": "x" * 300, "dateOfBirth": "nonsense", "createdOn": stamp},
    ]
    own = {"customerCode": "C1", "created": stamp}
    accounts: list[dict[str, Any]] = [
        {**own, "accountCode": "A1", "customerCryptoAddress": " bc1q1 ", "accountStatus": "ACTIVE"},
        {**own, "accountCode": "A2", "customerCryptoAddress": None, "accountStatus": "ACTIVE"},
        {**own, "accountCode": "A3", "customerCryptoAddress": "bc1q3", "accountStatus": "Deleted"},
        {**own, "accountCode": "A4", "customerCryptoAddress": "bc1q4", "customerCode": "C2"},
    ]

    def reply(asked: Asked) -> bytes:
        path = asked.target.partition("?")[0]
        if path.endswith("/personalData"):
            return values({"customerCode": "C1", "companyName": "Łódź 商社"})
        found = persons if path.endswith("/person") else accounts
        return page(found).replace(b"HTTP/1.1 200 X", b"HTTP/1.1 200 X\r\nDate: Tue, 02 Jun 2026 00:00:00 GMT")

    customer = {"customerCode": "C1", "isBusiness": True, "firstName": "", "lastName": "Ada\tB", "dateOfBirth": None}
    with SocketServer(by=reply) as server, session_for(server.base_url) as session:
        found = [(each.kind, each.code, dict(each.query)) for each in subjects_of(NexusClient(session), customer, session_log())]
    assert found == [
        ("customer", "C1", {"name": "Ada\tB"}),
        ("company", "C1", {"name": "Łódź 商社"}),
        ("person", "p1", {"name": "Zoë O'Neil\"", "dateOfBirth": "1970-01-31"}),
        ("person", "p2", {}),
        ("person", "p3", {"name": "x" * 300}),
        ("address", "A1", {"cryptoAddress": "bc1q1"}),
    ]


@pytest.mark.parametrize("blank", [" ", "\u200b", "\u200b \u2060", "\ufeff", "\u00ad"])
def test_a_name_in_which_nothing_can_be_seen_is_none(blank: str) -> None:
    assert _name({"name": blank, "firstName": blank, "lastName": None}) == ""


def test_first_and_last_name_are_searched_where_they_are_another() -> None:
    record = {"name": "Somebody Clean", "firstName": "Elif", "lastName": "Jensen"}
    assert [(each.kind, each.query["name"]) for each in _people("customer", "C", _name(record), record)] == [
        ("customer", "Somebody Clean"),
        ("customer_parts", "Elif Jensen"),
    ]
    same = record | {"name": "elif jensen"}
    assert [each.kind for each in _people("customer", "C", _name(same), same)] == ["customer"]
