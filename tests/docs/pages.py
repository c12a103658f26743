"""What makes the documentation's pages, imported as Sphinx does."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

sys.path.insert(0, str(DOCS))
generate = import_module("generate")
inventory = import_module("inventory")
remedies = import_module("remedies")
