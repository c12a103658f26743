"""Without the packages of the extra ``sandbox``, one sentence names what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from argparse import Namespace

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] == {missing!r} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
from airflow_provider_nexus.cli import demo, sandbox
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox

try:
    Sandbox()
except NexusConfigurationError as error:
    print(error)
settings = Namespace(seed=1, customers=1, transactions=1, days=1, port=0, set=[])
for command in (lambda: sandbox.run(settings), lambda: demo.run(Namespace(home={home!r}))):
    try:
        command()
    except SystemExit as end:
        print(end.code)
"""


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_the_error_names_the_extra(missing: str, tmp_path: Path) -> None:
    script = SCRIPT.format(missing=missing, home=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    sentence = f"a sandbox needs {missing}, which is not installed: pip install 'airflow-provider-nexus[sandbox]'"
    assert ended.stdout.splitlines() == [sentence, "2", "2"], ended.stderr
    assert ended.stderr.splitlines() == [f"sandbox: {sentence}", f"demo: {sentence}"]
