"""Operators of a compliance round: customers are screened against sanction lists, and a person judges what was found.

See docs/api_facts.rst, Sanction calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_nexus.api.records import as_plain, at
from airflow_provider_nexus.compat import AirflowFailException
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract import screening
from airflow_provider_nexus.extract.protect import Treatment
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._action import run_begin
from airflow_provider_nexus.operators._arguments import refuse_wrong
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._machines import open_database

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context, XComArg

    from airflow_provider_nexus.load.sql.evidence import Evidence

_TITLES = {
    screening.HIT: "Sanction hit",
    screening.UNCLEAR: "Answer that can't be read",
    screening.REFUSED: "Refused search",
    screening.NOTHING: "Nothing to search",
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
        needed = "the tasks of a round store and read one evidence"
        with open_database(self, "sql_conn_id", self.sql_conn_id, needed=needed) as engine:
            from airflow_provider_nexus.load.sql.evidence import Evidence

            evidence = Evidence(engine, self.table)
            evidence.prepare()
            yield evidence


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
        hits_of: screening.HitsOf = screening.count_hits,
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
        given = {name: getattr(self, name) for name in ("round_id", "lists", "personal", "nexus_conn_id")}
        refuse_wrong({name: value for name, value in given.items() if value is not None or name != "lists"})
        days = self.review_days if isinstance(self.review_days, Mapping) else {"": self.review_days}
        with NexusHook(self.nexus_conn_id) as hook, self.evidence() as evidence:
            from airflow_provider_nexus.load.sql.screening import ScreeningRound

            secret = hook.settings.hash_secret.reveal()
            if self.personal == "hash" and not secret:
                raise NexusConfigurationError(
                    "names are to be hashed and there is no secret: put hash_secret into the extra of the Nexus connection, or "
                    "give another value for personal"
                )
            ScreeningRound(
                hook.client,
                evidence,
                self.round_id,
                {**_run_of(context), "try_number": context["ti"].try_number},
                query={"fuzzySearch": self.fuzzy, **({"lists": self.lists} if self.lists else {})},
                hits_of=self.hits_of,
                personal=cast("Treatment", self.personal),
                secret=secret,
                log=self.log,
            ).screen(run_begin(context), days)
            found = evidence.undecided(self.round_id)
            summary = evidence.summary(self.round_id)
            earlier = evidence.earlier(self.round_id)
            questions = [_question(hook, row, earlier) for row in found[: self.limit]]
        context["ti"].xcom_push(key="summary", value=summary)
        self.log.info("%s", summary)
        if len(found) > self.limit:
            self.log.warning("%d findings wait for a decision; this run returns %d of them", len(found), self.limit)
        return questions


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
        """Add it. ``NexusConfigurationError`` when there is no such finding, or the answer is none."""
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
        """Check it. ``AirflowFailException`` when the round is not complete, or a finding waits for a decision."""
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


def _code(text: str) -> str:
    """A text in Markdown as it is, whatever is in it."""
    return f"`{text.replace('`', '')}`"


def _run_of(context: Context) -> dict[str, str]:
    return {name: str(getattr(context["ti"], name)) for name in ("dag_id", "run_id", "task_id")}


def _question(hook: NexusHook, row: Mapping[str, Any], earlier: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    """A finding as a person reads it: who, what of it, where, and the decision of an earlier round; no name, no address."""
    hits = ", ".join(f"{_code(name or 'unnamed')}: {count}" for name, count in json.loads(row["hits"] or "{}").items())
    lines = [
        f"Round {_code(row['round'])}, {row['kind']} {_code(row['code'])}.",
        f"Due: {row['due']}.",
        *([f"Entries by list: {hits}."] if hits else []),
        *([f"Why: {row['note']}."] if row["note"] else []),
    ]
    if before := earlier.get((row["customer"], row["kind"], row["code"])):
        same = before["answer_sha256"] and before["answer_sha256"] == row["answer_sha256"]
        then = f"{before['decision']} on {before['decided_at']:%Y-%m-%d} in round {_code(before['round'])}"
        lines.append(f"Decided before: {then}. What Nexus answers is {'the same as' if same else 'not the same as'} then.")
    if address := hook.portal_link("customers", row["customer"]):
        lines.append(f"[The customer in Nexus]({address})")
    return {
        "finding": f"{row['id']}:{row['attempt']}",
        "customer": row["customer"],
        "title": f"{_TITLES[row['outcome']]}: {row['customer']}, {row['kind']}",
        "body": "\n\n".join(lines),
    }
