"""`check`, `resources`, `describe` and `report` as a person calls them."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli import check
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of, lines_job


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=100, days=2, roles={"writer": ["write"]}) as started:
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_DEFAULT", started.connection_uri)
        stored = {"conn_type": "nexus", "host": started.base_url, "password": "writer"}
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_WRITER", json.dumps(stored))
        yield started


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    return capsys.readouterr().out


def test_check_tells_what_was_seen(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    findings = {each["what"]: each for each in json.loads(said(capsys, "check", "--output", "json"))}
    assert findings["connection"]["grade"] == "ok"
    assert {f"read {name}" for name, each in RESOURCES.items() if not each.parent} <= findings.keys()
    table = said(capsys, "check")
    assert "oldest first, as asked" in table
    assert sandbox.token not in table


def test_check_warns_and_fails_when_it_is_to_be_strict(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert "roles do not allow it" in said(capsys, "check", "--nexus-conn-id", "nexus_writer")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--nexus-conn-id", "nexus_writer", "--strict"])
    assert ended.value.code == 1


def test_check_fails_without_a_nexus(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stored = {"conn_type": "nexus", "host": "http://127.0.0.1:9", "password": "a-token", "extra": {"retries": 0}}
    monkeypatch.setenv("AIRFLOW_CONN_NEXUS_DEFAULT", json.dumps(stored))
    with pytest.raises(SystemExit) as ended:
        check.run(Namespace(nexus_conn_id="nexus_default", key_warning_days=None, strict=False, output="table"))
    assert ended.value.code == 1
    assert "FAILED" in capsys.readouterr().out


def test_resources_are_listed_and_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    assert {each["name"] for each in json.loads(said(capsys, "resources", "--output", "json"))} == set(RESOURCES)
    table = said(capsys, "resources", "--filter", "wallet")
    assert "hot_wallet_mutations" in table
    assert "customers" not in table
    with pytest.raises(SystemExit):
        main(["resources", "--filter", "no such thing"])


def test_a_resource_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(capsys, "describe", "transactions", "--output", "json"))
    columns = {each["field"]: each for each in told["columns"]}
    assert columns["requestedAmounts.cryptoAmount"]["digits"] == "24 decimals"
    assert columns["customerCode"]["personal"] == "yes"
    assert "COMPLETED" in told["statuses"]["succeeded"]
    assert "requested_amounts_fiat_value" in said(capsys, "describe", "transactions")


def test_an_unknown_resource_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["describe", "transaction"])
    assert ended.value.code == 2
    assert "transactions" in capsys.readouterr().err


def test_a_report_is_written(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
    lines_job(client_of(sandbox), tmp_path, "orders", RequestedWindow(end - timedelta(hours=9), end, "arguments")).run()
    out = tmp_path / "proof.html"
    assert "bytes" in said(capsys, "report", str(tmp_path), "-o", str(out))
    assert "orders" in out.read_text()


def test_a_report_needs_a_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", str(tmp_path), "-o", str(tmp_path / "x.html")])
    assert ended.value.code == 2
    assert not (tmp_path / "x.html").exists()
    assert "manifest" in capsys.readouterr().err
