"""The commands, run as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from argparse import Namespace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
import requests

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.cli.definition import COMMANDS
from airflow_provider_nexus.cli.sandbox import parse_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", "-m", "airflow_provider_nexus", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_sandbox_says_how_to_reach_it_and_stops_when_told() -> None:
    with start("sandbox", "--port", "0", "--customers", "20", "--transactions", "50", "--set", "max_limit=7") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        url, token, _ = (line.split()[-1] for line in lines)
        page = requests.get(f"{url}/customer", params={"limit": 50}, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert len(page.json()["values"]["records"]) == 7
        assert lines[2].startswith("export AIRFLOW_CONN_NEXUS_DEFAULT='nexus://:"), "so that all of the line can be copied"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


def test_a_port_that_is_taken_is_one_clear_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with start("sandbox", "--port", str(taken.getsockname()[1])) as process:
            _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Traceback" not in said
    assert "in use" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nexus: the following arguments are required: COMMAND"),
        (("verfy",), "nexus: argument COMMAND: invalid choice: 'verfy'"),
        (("verify",), "verify: the following arguments are required: TARGET"),
        (("verify", "x", "--sql-conn"), "verify: argument --sql-conn-id: expected one argument"),
        (("verify", "x", "--sql_conn_id", "w"), "verify: unrecognized arguments: --sql_conn_id w: did you mean '--sql-conn-id'?"),
        (("sandbox", "--port", "99999"), "sandbox: argument --port: '99999': give a whole number from 0 to 65535"),
        (("sync", "orders", "x", "--window-start", "soon"), "sync: argument --window-start: MOMENT: 'soon'"),
        (("verify", "no-name", "--sql-conn-id", "warehouse"), "verify: TARGET is 'no-name', which is no name for a table"),
        (("replay", "no-name", "--sql-conn-id", "warehouse"), "replay: TARGET is 'no-name', which is no name for a table"),
        (("report", "no-name", "--sql-conn-id", "warehouse"), "report: TARGET is 'no-name', which is no name for a table"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said_in_one_line_without_the_usage(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "db")}))
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(said)


def test_a_demo_that_fails_says_so_in_a_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "home"
    blocker.write_text("a file where a folder is wanted")
    with start("demo", "--home", str(blocker)) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.count("\n") == 1, said
    assert "Errno" not in said


@pytest.mark.parametrize(("name", "place"), [("sandbox", "sandbox.run"), ("demo", "demo.run"), ("ui", "ui.run")])
def test_under_airflow_too_an_error_is_one_sentence(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("a file where a folder is wanted")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    given = dict.fromkeys(("seed", "customers", "transactions", "days"), 1)
    arguments = Namespace(home=str(tmp_path / "home"), set=["sort=sideways"], port=0, **given)
    module, _, function = place.partition(".")
    command = getattr(import_module(f"airflow_provider_nexus.cli.{module}"), function)
    with pytest.raises(SystemExit) as ended:
        command(arguments)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert said.startswith(f"{name}: ")


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert next(command.help for command in COMMANDS if command.name == name)[:30] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("plan orders --window-start 2026-01-01 --max-windows 0", "argument --max-windows: '0': give a whole number, 1 or more"),
        ("plan orders --window-start 2026-01-01 --max-windows two", "argument --max-windows: 'two': give a whole number, 1 or"),
        ("sync orders /data --readings 0", "argument --readings: '0': give a whole number, 1 or more"),
        ("sync orders /data --parallel 17", "argument --parallel: '17': give a whole number from 1 to 16"),
        ("check --key-warning-days -1", "argument --key-warning-days: '-1': give a whole number from 0 to 3650"),
        ("sandbox --port 65536", "argument --port: '65536': give a whole number from 0 to 65535"),
        ("sandbox --days -1", "argument --days: '-1': give a whole number, 0 or more"),
        ("ui --port 65000", "argument --port: '65000': give a whole number from 1 to 64820"),
        ("sync orders /data --start 2026-01-01", "--start 2026-01-01: did you mean '--window-start'?"),
        ("sync orders /data --conn-id=x", "--conn-id=x: did you mean '--nexus-conn-id'?"),
        ("check --zzz", "--zzz: its options are --nexus-conn-id, --key-warning-days, --strict, --output"),
    ],
)
def test_an_option_that_is_wrong_is_named(given: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(given.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("more", [0, 713, 715])
def test_a_user_interface_without_its_ports_is_refused_at_once(
    more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for _ in range(20):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(SystemExit) as ended:
                main(["ui", "--home", str(tmp_path), "--port", str(port - more)])
        said = capsys.readouterr().err
        assert (ended.value.code, said.count("\n")) == (2, 1)
        assert said.startswith("ui: ")
        assert f"ui needs it for --port {port - more}, so give another --port" in said
        if f"port {port} can't be had (address already in use): " in said:
            return  # another program may have one of the other ports, which is named then
    pytest.fail(said)


def test_settings_of_the_sandbox() -> None:
    assert parse_settings(["max_limit=7", "sort=ignored", "since_inclusive=false", "late_share=0.5"]) == {
        "max_limit": 7,
        "sort": "ignored",
        "since_inclusive": False,
        "late_share": 0.5,
    }
    assert parse_settings(["now=2026-03-01T00:30:00Z"]) == {"now": datetime(2026, 3, 1, 0, 30, tzinfo=UTC)}
    with pytest.raises(NexusConfigurationError, match="NAME=VALUE"):
        parse_settings(["max_limit"])


@pytest.mark.parametrize(
    "setting", ["max_limt=7", "sort=sometimes", "now=tomorrow", "days=2", "max_limit=abc", 'faults=[{"kin": 1}]']
)
def test_a_wrong_setting_is_named(setting: str) -> None:
    with start("sandbox", "--port", "0", "--set", setting) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Traceback" not in said
    assert setting.split("=")[0] in said


def test_no_command_starts_with_a_home_of_airflow(tmp_path: Path) -> None:
    """What the commands import leaves the user's own Airflow alone."""
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")}
    command = [sys.executable, "-m", "airflow_provider_nexus", "demo", "--help"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=30)
    assert not (tmp_path / "airflow").exists()
