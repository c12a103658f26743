"""`reconcile` as a person calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.extract.serving import client_of
from tests.load.storing import put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("transactions", "hot_wallet_mutations", "orders", "transfers")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(scope="module")
def sandbox(root: Path) -> Iterator[Sandbox]:
    with (
        Sandbox(customers=5, transactions=60, days=3, clock_speed=0, now=NOW) as running,
        connection(running),
        pytest.MonkeyPatch.context() as patch,
    ):
        client, window = client_of(running), RequestedWindow(NOW - timedelta(days=4), NOW, "arguments")
        running.advance(7200)
        for name in NAMES:
            put(client, root, name, window, settle_lag=timedelta(0))
        client.session.close()
        engine = sa.create_engine(f"sqlite:///{root}/db")
        with engine.begin() as connected:
            connected.execute(sa.text("CREATE TABLE mine (a INTEGER)"))
        engine.dispose()
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": f"{root}/db"}))
        yield running
        running.configure(wrong_books=[])


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a call."""
    code = 0
    try:
        main(["reconcile", *map(str, words)])
    except SystemExit as ended:
        code = int(ended.code or 0)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_right_books(sandbox: Sandbox, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.configure(wrong_books=[])
    code, out, err = run(capsys, *(f"{name}={root}" for name in NAMES))
    assert code == 0
    assert out.splitlines()[-1].startswith("At 2026-03-01T12:00:00Z all ")
    assert "proved from" in err
    code, out, _ = run(capsys, f"transactions={root}", "--output", "json", "--totals-only", "--moment", "2026-02-28")
    found = json.loads(out)
    assert (code, found["is_fine"], found["moment"]) == (0, True, "2026-02-28T00:00:00Z")
    assert {line["book"] for line in found["lines"]} >= {"balances", "proof of reserves"}


def test_a_wrong_book(sandbox: Sandbox, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.configure(wrong_books=["doubled_fee"])
    copies = [f"{name}={root}" for name in NAMES]
    code, out, _ = run(capsys, *copies, "--output", "json")
    found = json.loads(out)
    (line,) = [line for line in found["lines"] if line["outcome"] == "differs"]
    assert (code, found["is_fine"], line["book"]) == (1, False, "reserves")
    assert isinstance(line["difference"], str)
    assert line["explanations"]
    code, out, _ = run(capsys, *copies)
    assert code == 1
    assert f"At 2026-03-01T12:00:00Z 1 of {len(found['lines'])} places differ" in out
    assert run(capsys, *copies, "--tolerance", f"{line['code']}=1000000")[0] == 0
    assert run(capsys, *copies, "--tolerance", "1000000")[0] == 0
    # so that a person can read it at a terminal of 80 columns, and copy the codes of records
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(capsys, *copies)
    assert max(map(len, out.splitlines())) <= 80
    assert all(part in out for part in (f"reserves, {line['place']}", line["difference"], "differs"))
    assert f"{line['place']} {line['code']}: {line['explanations'][0]['record']}, " in out


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ((), 2, "RESOURCE=TARGET"),
        (("transactions",), 2, "RESOURCE=TARGET"),
        (("transactions=",), 2, "RESOURCE=TARGET"),
        (("=ROOT",), 2, "RESOURCE=TARGET"),
        (("transaction=ROOT",), 2, "transactions"),
        (("balances=ROOT",), 2, "balances"),
        (("transactions=ROOT", "transactions=ROOT"), 2, "twice"),
        (("orders=ROOT",), 2, "hot_wallet_mutations"),
        (("transactions=/nowhere",), 2, "/nowhere"),
        (("transactions=ROOT", "--tolerance", "much"), 2, "--tolerance"),
        (("transactions=ROOT", "--tolerance", "-1"), 2, "--tolerance"),
        (("transactions=ROOT", "--tolerance", "EUR=much"), 2, "--tolerance of EUR"),
        (("transactions=ROOT", "--tolerance", "1", "--tolerance", "EUR=1"), 2, "--tolerance"),
        (("transactions=ROOT", "--tolerance", "EUR=1", "--tolerance", "EUR=2"), 2, "--tolerance"),
        (("transactions=ROOT", "--tolerance", "XBT=1"), 2, "--tolerance is given for XBT"),
        (("transactions=ROOT", "--moment", "soon"), 2, "--moment"),
        (("transactions=ROOT", "--start", "2026-02-30"), 2, "--start"),
        (("transactions=ROOT", "--moment", "2030-01-01"), 2, "proved is"),
        (("transactions=ROOT", "--start", "2026-02-28", "--moment", "2026-02-27"), 2, "not after the start"),
        (("transactions=ROOT", "--nexus-conn-id", "not_there"), 2, "not_there"),
        (("transactions=mine", "--sql-conn-id", "not_there"), 2, "not_there"),
        (("transactions=mine", "--sql-conn-id", "warehouse"), 2, "mine"),
        (("transactions=no such", "--sql-conn-id", "warehouse"), 2, "no such"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    sandbox: Sandbox, root: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, named: str
) -> None:
    ended, out, err = run(capsys, *(word.replace("ROOT", str(root)) for word in words))
    assert ended == code, err
    assert named in err, err
    assert "Traceback" not in err
    assert out == ""
