"""What a machine lacks for some of the tests: looked for here, told at the end of a run, and of all runs of `make test`.

`.ci/servers` installs it. Without it the tests are skipped, but fail where ``CI`` is set.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

KEPT = "NEXUS_NOT_TESTED"
"""The environment variable that names the file in which the runs of one `make test` keep what they have skipped."""
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"
_LACK = "{program} is missing: .ci/servers installs {package}"
_SKIPPED = re.compile(r"is missing: \.ci/servers installs (\S+)$")


def find(program: str, package: str) -> str:
    """The path of a program; skips the test where there is none, and fails it in continuous integration.

    :param package: what `.ci/servers` has to install to bring it
    """
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    path = str(newest[0]) if newest else shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    return path or _lack(program, package)


def _lack(program: str, package: str) -> NoReturn:
    lack = _LACK.format(program=program, package=package)
    if os.environ.get("CI"):
        pytest.fail(lack)
    pytest.skip(lack)


def skipped(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> Iterator[tuple[str, str]]:
    """The tests that lacked something, each with the package."""
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if found := _SKIPPED.search(reason):
            yield report.nodeid, found[1]


def keep(lacks: Iterable[tuple[str, str]]) -> None:
    """Add them to the file of `make test`, if this is a part of it."""
    if path := os.environ.get(KEPT):
        with Path(path).open("a") as kept:
            kept.writelines(f"{package} {test}\n" for test, package in lacks)


def told(lacks: Iterable[tuple[str, str]]) -> list[str]:
    """One line on all that lacked something; none when nothing did."""
    packages = dict(lacks)
    if not packages:
        return []
    tests = f"{len(packages)} test{'s' * (len(packages) > 1)} that need{'s' * (len(packages) == 1)}"
    command = "bash .ci/servers" if os.geteuid() == 0 else "sudo bash .ci/servers"
    return [f"NOT TESTED: {tests} {', '.join(sorted(set(packages.values())))}; to install what is missing: {command}"]


def main() -> None:
    """Tell of all runs of `make test`."""
    path = Path(os.environ[KEPT])
    lines = path.read_text().splitlines() if path.exists() else []
    split = (line.partition(" ") for line in lines)
    for line in told((test, package) for package, _, test in split):
        print(line)


if __name__ == "__main__":
    main()
