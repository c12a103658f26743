"""How the documentation is built: `make docs`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from airflow_provider_nexus import __version__

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE))
# The reference imports Airflow, which makes itself a home.
os.environ.setdefault("AIRFLOW_HOME", str(Path(tempfile.gettempdir()) / "nexus-docs-airflow"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

import generate  # noqa: E402

project = "airflow-provider-nexus"
author = "airflow-provider-nexus"
project_copyright = "the authors of airflow-provider-nexus, Apache License 2.0"
release = version = __version__

html_theme = "furo"
html_title = f"Airflow provider for Quantoz Nexus {__version__}"
exclude_patterns = ["_build", "_generated"]
nitpicky = True
nitpick_ignore = [("py:exc", "ValueError")]
extensions = ["sphinx.ext.autodoc"]
autodoc_typehints = "none"
autodoc_class_signature = "separated"

generate.write_all(_HERE / "_generated")
