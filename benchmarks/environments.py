"""Environments of the peers, in `.bench`, each with the versions that a file beside the peer pins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".bench"
_PINS = Path(__file__).with_name("peers")


class NotInstalledError(Exception):
    """An environment can't be made; the last line of what pip had to say."""


def python_of(name: str) -> str:
    """The interpreter of a peer's environment, which is made when it is not there, or when its pins have changed.

    :raises NotInstalledError: when it can't be made
    """
    pins, home = _PINS / f"{name}.txt", FOLDER / name
    python, stamp = home / "bin" / "python", home / "installed.txt"
    if not (stamp.exists() and stamp.read_text() == pins.read_text()):
        print(f"installing {name} into {home.relative_to(ROOT)}", flush=True)
        _run(sys.executable, "-m", "venv", "--clear", str(home))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(pins))
        stamp.write_text(pins.read_text())
    return str(python)


def versions_of(name: str) -> dict[str, str]:
    """The versions of a peer's environment, by distribution."""
    lines = (_PINS / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise NotInstalledError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
