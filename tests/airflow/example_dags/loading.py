"""The example DAGs, loaded as Airflow loads them."""

from __future__ import annotations

import importlib.util

from airflow.sdk import DAG

from airflow_provider_nexus.cli.throwaway import example_dags


def example(name: str) -> DAG:
    """The DAG of one example file."""
    spec = importlib.util.spec_from_file_location(name, example_dags() / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag = module.dag
    assert isinstance(dag, DAG)
    return dag
