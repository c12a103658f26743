"""Operators of a compliance round: customers are screened against sanction lists, and a person judges what was found.

See docs/api_facts.rst, Sanction calls.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec

from airflow_provider_nexus.api.records import as_plain, at
from airflow_provider_nexus.compat import AirflowFailException
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusNotFoundError
from airflow_provider_nexus.extract import screening
from airflow_provider_nexus.extract.protect import Treatment, treatments
from airflow_provider_nexus.extract.screening import HitsOf, Searched, count_hits
from airflow_provider_nexus.hooks._connections import engine_of
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._action import run_begin
from airflow_provider_nexus.operators._arguments import refuse_wrong
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context, XComArg

    from airflow_provider_nexus.load.sql.evidence import Evidence

REVIEW_DAYS = {"VeryHigh": 180, "High": 365, "Medium": 730, "Low": 1095, "None": 1095}
"""Days from one review of a customer to the next by risk qualification, where a DAG gives no others."""
_MANY = 5
_PERSONAL = ("name", "dateOfBirth", "cryptoAddress")
_TITLES = {
    screening.HIT: "on a sanction list?",
    screening.UNCLEAR: "the answer to its search can't be read",
    screening.REFUSED: "Nexus refused its search",
    screening.NOTHING: "has nothing that can be searched",
}


class NexusEvidenceBaseOperator(NexusBaseOperator):
    """Works on the evidence of a screening. Not used by itself.

    .. seealso:: :doc:`compliance`

    :param sql_conn_id: connection of the database with the evidence (templated)
    :param table: name of the table of searches, behind a schema and a point if it has one; the table of decisions has the same
        name and ``_decided`` behind it (templated)
    """

    template_fields: Sequence[str] = ("sql_conn_id", "table")
    text_fields = template_fields
    ui_color = "#e3f2ee"
    operator_extra_links: tuple[BaseOperatorLink, ...] = ()  # a round is no one record

    def __init__(self, *, sql_conn_id: str | XComArg, table: str | XComArg = "nexus_screening", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = rendered(sql_conn_id)
        self.table = rendered(table)
        self.check(NexusEvidenceBaseOperator)

    @contextmanager
    def evidence(self) -> Iterator[Evidence]:
        """The evidence, its tables made."""
        refuse_wrong({"sql_conn_id": self.sql_conn_id, "table": self.table})
        engine = engine_of(self.sql_conn_id)
        try:
            from airflow_provider_nexus.load.sql.evidence import Evidence

            evidence = Evidence(engine, self.table)
            evidence.prepare()
            yield evidence
        finally:
            engine.dispose()


class NexusScreenCustomersOperator(NexusEvidenceBaseOperator):
    """Searches the customers that are due for review in the sanction lists, and returns what a person has to judge.

    All customers are read and proved complete. Of each that is due its name, its company, its persons and the addresses of its
    own wallets are searched. Each search is a row of evidence as soon as Nexus has answered, so another try goes on where the
    one before ended: nothing that was answered is searched twice in a round. A search that failed has no row and fails the task.

    Returns the findings that nobody has decided about, each with ``finding``, ``customer``, ``title`` and ``body``, as a
    mapped task takes them: hits, answers that can't be read, searches that Nexus refused, and customers and persons without
    anything that can be searched. The XCom ``summary`` has the counts of the round.

    .. seealso:: :doc:`compliance`

    :param round_id: name of the round; by default that of the run (templated)
    :param review_days: days from one review to the next, for all customers or by risk qualification; a risk that is not named
        has the fewest. 0 makes every customer due
    :param fuzzy: whether names that are alike are searched as well
    :param lists: codes of the lists to search, as Nexus takes them; by default Nexus chooses (templated)
    :param hits_of: reads an answer: its values -> number of entries by list; raises ``ValueError`` when it can't tell
    :param personal: what is done with names, dates of birth and addresses in the evidence: ``keep``, ``hash``, ``mask`` or
        ``drop``. Only ``keep`` stores the answers of Nexus as well (templated)
    :param limit: findings that are returned at most; the next run of the round returns the others
    :param nexus_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = (
        *NexusEvidenceBaseOperator.template_fields,
        "round_id",
        "lists",
        "personal",
        "nexus_conn_id",
    )
    text_fields = template_fields

    def __init__(
        self,
        *,
        round_id: str | XComArg = "{{ run_id }}",
        review_days: Mapping[str, int] | int = 0,
        fuzzy: bool = True,
        lists: str | XComArg | None = None,
        hits_of: HitsOf = count_hits,
        personal: Treatment | str = "hash",
        limit: int = 100,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.round_id = rendered(round_id)
        self.review_days = review_days
        self.fuzzy = fuzzy
        self.lists = rendered(lists)
        self.hits_of = hits_of
        self.personal = personal
        self.limit = limit
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusScreenCustomersOperator)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Search what has not been searched in this round.

        :raises NexusUnprovedError: when the list of customers can't be proved complete
        :raises NexusApiError: when a search failed; what was answered before it is stored
        :raises NexusConfigurationError: when no list is live, or a secret is missing
        """
        refuse_wrong({name: getattr(self, name) for name in ("round_id", "lists", "personal", "nexus_conn_id")})
        days = self.review_days if isinstance(self.review_days, Mapping) else {"": self.review_days}
        with NexusHook(self.nexus_conn_id) as hook, self.evidence() as evidence:
            secret = hook.settings.hash_secret.reveal()
            if self.personal == "hash" and not secret:
                raise NexusConfigurationError(
                    "names are to be hashed and there is no secret: put hash_secret into the extra of the Nexus connection, or "
                    "give another value for personal"
                )
            run = _ScreeningRound(self, context, hook, evidence, secret)
            moment = run_begin(context)
            due, count = screening.due_customers(hook.client, moment, days, self.log)
            self.log.info("%d of %d customers are due for review", len(due), count)
            for customer, why in due:
                run.screen(customer, why)
            run.close({"due_at": moment.isoformat(), "due": len(due), "customers": count})
            found = evidence.undecided(self.round_id)
            summary = evidence.summary(self.round_id)
            questions = [_question(hook, row) for row in found[: self.limit]]
        context["ti"].xcom_push(key="summary", value=summary)
        self.log.info("%s", summary)
        if len(found) > self.limit:
            self.log.warning("%d findings wait for a decision; this run returns %d of them", len(found), self.limit)
        return questions


class _ScreeningRound:
    """One try's share of a round."""

    def __init__(
        self, task: NexusScreenCustomersOperator, context: Context, hook: NexusHook, evidence: Evidence, secret: str
    ) -> None:
        self._task, self._hook, self._evidence = task, hook, evidence
        self._known = evidence.known(task.round_id)
        self._treat = treatments(secret).get(cast("Treatment", task.personal))
        self._environment = hook.settings.environment.name
        instance = context["ti"]
        self._run = {**_run_of(context), "try_number": instance.try_number}
        self._lists: dict[str, str] | None = None

    def screen(self, customer: Mapping[str, Any], why: str) -> None:
        """Search what there is of a customer."""
        code, client, log = str(at(customer, "customerCode")), self._hook.client, self._task.log
        self._lists = None
        try:
            for subject in screening.subjects_of(client, customer, log):
                self._search({"customer": code, "due": why, "kind": subject.kind, "code": subject.code}, subject.query)
        except NexusNotFoundError:
            try:
                client.get_record("customers", code)
            except NexusNotFoundError:
                self._add({"customer": code, "due": why, "kind": "customer", "code": code}, Searched(screening.GONE))
                return
            raise

    def close(self, counts: Mapping[str, Any]) -> None:
        """Add the row that says that the round is complete."""
        row = {"customer": None, "due": None, "kind": "round", "code": str(counts["due_at"])}
        self._add(row, Searched(screening.COMPLETE), counts)

    def _search(self, row: Mapping[str, Any], query: Mapping[str, str]) -> None:
        attempt, outcome = self._known.get(self._key(row), (0, ""))
        if attempt and outcome not in screening.REPEATED:
            return
        found, body = Searched(screening.NOTHING), None
        if query:
            lists = {"lists": self._task.lists} if self._task.lists else {}
            body = {**query, "fuzzySearch": self._task.fuzzy, **lists}
            if self._lists is None:
                self._lists = self._live()
            found = screening.search(self._hook.client, body, self._task.hits_of)
        if found.outcome != outcome:
            self._add(row, found, body, self._lists if body else None)
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
        live = screening.live_lists(self._hook.client, self._task.log)
        words = "".join(each if each.isalnum() or each in "_-." else " " for each in self._task.lists or "").split()
        unknown = [each for each in words if each.casefold() not in {code.casefold() for code in live}]
        if unknown:
            raise NexusConfigurationError(f"lists has {unknown[0]!r}, and no list of that code is live: {', '.join(live)} are")
        return live

    def _key(self, row: Mapping[str, Any]) -> str:
        from airflow_provider_nexus.load.sql.evidence import evidence_id

        return evidence_id(self._task.round_id, self._environment, row["kind"], row["customer"] or "", row["code"])

    def _add(
        self,
        row: Mapping[str, Any],
        found: Searched,
        body: Mapping[str, Any] | None = None,
        lists: Mapping[str, str] | None = None,
    ) -> None:
        key = self._key(row)
        attempt = self._known.get(key, (0, ""))[0] + 1
        answer = None if found.values is None else json.dumps(as_plain(found.values), sort_keys=True)
        is_read = found.outcome in (screening.HIT, screening.CLEAR)
        self._evidence.add(
            {
                **{"id": key, "attempt": attempt, "round": self._task.round_id, **row},
                **{"outcome": found.outcome, "note": found.note or None},
                "lists": _json(lists),
                "searched": _json(body and {name: self._treated(name, value) for name, value in body.items()}),
                "hits": _json(found.hits if is_read else None),
                "answer": answer if self._task.personal == "keep" else None,
                "answer_sha256": hashlib.sha256(answer.encode()).hexdigest() if answer is not None else None,
                "searched_at": self._hook.client.session.server_now or datetime.now(UTC),
                "environment": self._environment,
                **self._run,
            }
        )
        self._known[key] = attempt, found.outcome

    def _treated(self, name: str, value: Any) -> Any:
        if self._treat is None or name not in _PERSONAL:
            return value
        return json.loads(self._treat(msgspec.json.encode(value)))


class NexusRecordDecisionOperator(NexusEvidenceBaseOperator):
    """Adds the decision of a person about a finding to the evidence, once, and returns it.

    Returns ``decision``, ``customer``, ``kind``, ``code`` and ``outcome``.

    .. seealso:: :doc:`compliance`

    :param finding: what was decided about, as ``NexusScreenCustomersOperator`` names it (templated)
    :param answer: the answer of Airflow's human-in-the-loop operator, whose one option that was chosen is the decision; what
        was entered into its form is stored as well (templated)
    """

    template_fields: Sequence[str] = (*NexusEvidenceBaseOperator.template_fields, "finding", "answer")
    text_fields = (*NexusEvidenceBaseOperator.template_fields, "finding")
    template_fields_renderers = {"answer": "json"}  # noqa: RUF012 - as BaseOperator declares it

    def __init__(self, *, finding: str | XComArg, answer: Mapping[str, Any] | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.finding = rendered(finding)
        self.answer = rendered(answer)
        self.check(NexusRecordDecisionOperator)

    def execute(self, context: Context) -> dict[str, Any]:
        """Add it.

        :raises NexusConfigurationError: when there is no such finding, or the answer is none
        """
        refuse_wrong({"finding": self.finding, "answer": self.answer})
        key, _, attempt = self.finding.partition(":")
        chosen, by = self.answer.get("chosen_options") or [], self.answer.get("responded_by_user") or {}
        if len(chosen) != 1 or self.answer.get("responded_at") is None:
            raise NexusConfigurationError("answer has no moment or not one chosen option: give what a HITLOperator returns")
        moment = self.answer["responded_at"]
        with self.evidence() as evidence:
            found = evidence.search(key, int(attempt)) if attempt.isdigit() else None
            if found is None:
                raise NexusConfigurationError(
                    f"finding is {self.finding!r}, and table {self.table} has none of that name: give one that "
                    "NexusScreenCustomersOperator returned, and its table"
                )
            evidence.decide(
                {
                    **{name: found[name] for name in ("id", "attempt", "round")},
                    "decided_at": moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment)),
                    "decision": str(chosen[0]),
                    **{"decided_by": at(by, "id"), "decided_by_name": at(by, "name")},
                    "inputs": json.dumps(as_plain(self.answer.get("params_input") or {})),
                    "recorded_at": datetime.now(UTC),
                    **_run_of(context),
                }
            )
        return {"decision": str(chosen[0]), **{name: found[name] for name in ("customer", "kind", "code", "outcome")}}


class NexusCloseScreeningOperator(NexusEvidenceBaseOperator):
    """Checks that a round is complete and that all its findings are decided, and returns its counts.

    Give it the trigger rule ``all_done``, so that it checks after failures as well.

    .. seealso:: :doc:`compliance`

    :param round_id: name of the round; by default that of the run (templated)
    """

    template_fields: Sequence[str] = (*NexusEvidenceBaseOperator.template_fields, "round_id")
    text_fields = template_fields

    def __init__(self, *, round_id: str | XComArg = "{{ run_id }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.round_id = rendered(round_id)
        self.check(NexusCloseScreeningOperator)

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - given by Airflow
        """Check it.

        :raises AirflowFailException: when the round is not complete, or a finding waits for a decision
        """
        refuse_wrong({"round_id": self.round_id})
        with self.evidence() as evidence:
            summary = evidence.summary(self.round_id)
        self.log.info("%s", summary)
        if not summary["complete"]:
            raise AirflowFailException(f"round {self.round_id} is not complete: clear the task that screens the customers")
        if summary["undecided"]:
            raise AirflowFailException(
                f"{summary['undecided']} findings of round {self.round_id} wait for a decision: clear the task that screens the "
                "customers, and it asks again"
            )
        return summary


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _run_of(context: Context) -> dict[str, str]:
    return {name: str(getattr(context["ti"], name)) for name in ("dag_id", "run_id", "task_id")}


def _question(hook: NexusHook, row: Mapping[str, Any]) -> dict[str, Any]:
    """A finding as a person reads it: who, what of it, and where; no name, no address."""
    hits = ", ".join(f"{name or 'unnamed list'}: {count}" for name, count in json.loads(row["hits"] or "{}").items())
    lines = [
        f"Round `{row['round']}`, {row['kind']} `{row['code'].replace('`', '')}`.",
        f"Due: {row['due']}.",
        *([f"Entries by list: {hits}."] if hits else []),
        *([f"Why: {row['note']}."] if row["note"] else []),
    ]
    if address := hook.portal_link("customers", row["customer"]):
        lines.append(f"[The customer in Nexus]({address})")
    return {
        "finding": f"{row['id']}:{row['attempt']}",
        "customer": row["customer"],
        "title": f"Customer {row['customer']}, {row['kind']}: {_TITLES[row['outcome']]}",
        "body": "\n\n".join(lines),
    }
