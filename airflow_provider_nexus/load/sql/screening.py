"""A compliance round: each customer that is due is searched, and a row of evidence is added after each answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_provider_nexus.api.records import as_plain, at
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusNotFoundError
from airflow_provider_nexus.extract import screening
from airflow_provider_nexus.extract.protect import Treatment, treatments
from airflow_provider_nexus.extract.screening import HitsOf, Searched
from airflow_provider_nexus.load.sql.evidence import Evidence, evidence_id

_MANY = 5
"""Searches that Nexus refuses before it counts as the call that it refuses."""
_PERSONAL = ("name", "dateOfBirth", "cryptoAddress")


class ScreeningRound:
    """One try's share of a round.

    :param evidence: what has been searched in earlier tries, and what is searched now
    :param round_id: name of the round
    :param run: DAG, run, task and number of the try, for the evidence
    :param query: what is in the body of each search beside name or address
    :param hits_of: reads an answer
    :param personal: what is done with names, dates of birth and addresses in the evidence
    :param secret: the key of hashes
    :raises NexusConfigurationError: when the round is one of another environment
    """

    def __init__(
        self,
        client: NexusClient,
        evidence: Evidence,
        round_id: str,
        run: Mapping[str, Any],
        *,
        query: Mapping[str, Any],
        hits_of: HitsOf,
        personal: Treatment,
        secret: str,
        log: Log,
    ) -> None:
        self._client, self._evidence, self._round, self._run, self._query = client, evidence, round_id, run, query
        self._hits_of, self._personal, self._log = hits_of, personal, log
        self._treat = treatments(secret).get(personal)
        self._environment = client.session.environment.name
        self._known = evidence.known(round_id, self._environment)
        self._lists: dict[str, str] | None = None

    def screen(self, moment: datetime, days: Mapping[str, int]) -> None:
        """Search all customers that are due, and add a row that says that the round is complete.

        :param moment: due by then
        :param days: days from one review to the next by risk qualification
        :raises NexusUnprovedError: when the list of customers can't be proved complete
        :raises NexusApiError: when a search failed; what was answered before it is stored
        """
        due, count = screening.due_customers(self._client, moment, days, self._log)
        self._log.info("%d of %d customers are due for review", len(due), count)
        for customer, why in due:
            self._screen(customer, why)
        row = {"customer": None, "due": None, "kind": "round", "code": moment.isoformat()}
        self._add(row, Searched(screening.COMPLETE), {"due_at": moment.isoformat(), "due": len(due), "customers": count})

    def _screen(self, customer: Mapping[str, Any], why: str) -> None:
        code, self._lists = str(at(customer, "customerCode")), None
        row = {"customer": code, "due": why, "kind": "customer", "code": code}
        try:
            for subject in screening.subjects_of(self._client, customer, self._log):
                self._search({**row, "kind": subject.kind, "code": subject.code}, subject.query)
        except NexusNotFoundError:
            try:
                self._client.get_record("customers", code)
            except NexusNotFoundError:
                # A route that is away answers 404 as well.
                if not screening.is_listed(self._client, code, self._log):
                    self._add({**row, "kind": "deletion"}, Searched(screening.GONE))
                    return
            raise

    def _search(self, row: Mapping[str, Any], query: Mapping[str, str]) -> None:
        attempt, outcome = self._known.get(self._key(row), (0, ""))
        if attempt and outcome not in screening.REPEATED:
            return
        found, body = Searched(screening.NOTHING), None
        if query:
            self._lists = self._lists or self._live()
            body = {**query, **self._query}
            found = screening.search(self._client, body, self._hits_of)
        if found.outcome != outcome:
            self._add(row, found, body)
        if found.outcome == screening.REFUSED:
            self._refuse_all_refused(found.note)

    def _refuse_all_refused(self, note: str) -> None:
        """Stop where Nexus answered no search at all: then it is the call that it refuses, and no name."""
        outcomes = Counter(outcome for _, outcome in self._known.values())
        if outcomes[screening.REFUSED] >= _MANY and not any(outcomes[each] for each in screening.ANSWERED):
            raise NexusConfigurationError(
                f"Nexus refused all {outcomes[screening.REFUSED]} searches of this round so far, the last one with {note}, so it "
                "does not take this call: look at lists, and try a search with NexusOperator, whose error has Nexus' own words"
            )

    def _live(self) -> dict[str, str]:
        """The lists that are live now, those that are asked for among them."""
        live = screening.live_lists(self._client, self._log)
        known = {code.casefold() for code in live}
        unknown = [each for each in re.findall(r"[\w.-]+", self._query.get("lists") or "") if each.casefold() not in known]
        if unknown:
            raise NexusConfigurationError(f"lists has {unknown[0]!r}, and no list of that code is live: {', '.join(live)} are")
        return live

    def _key(self, row: Mapping[str, Any]) -> str:
        return evidence_id(self._round, self._environment, row["kind"], row["customer"] or "", row["code"])

    def _add(self, row: Mapping[str, Any], found: Searched, body: Mapping[str, Any] | None = None) -> None:
        key = self._key(row)
        attempt = self._known.get(key, (0, ""))[0] + 1
        answer = None if found.values is None else json.dumps(as_plain(found.values), sort_keys=True)
        is_read, is_search = found.outcome in (screening.HIT, screening.CLEAR), row["kind"] != "round" and body
        self._evidence.add(
            {
                **{"id": key, "attempt": attempt, "round": self._round, **row},
                **{"outcome": found.outcome, "note": found.note or None},
                "lists": _json(self._lists if is_search else None),
                "searched": _json(body and {name: self._treated(name, value) for name, value in body.items()}),
                "hits": _json(found.hits if is_read else None),
                "answer": answer if self._personal == "keep" else None,
                "answer_sha256": hashlib.sha256(answer.encode()).hexdigest() if answer is not None else None,
                "searched_at": self._client.session.server_now or datetime.now(UTC),
                "environment": self._environment,
                **self._run,
            }
        )
        self._known[key] = attempt, found.outcome

    def _treated(self, name: str, value: Any) -> Any:
        if self._treat is None or name not in _PERSONAL:
            return value
        return json.loads(self._treat(msgspec.json.encode(value)))


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)
