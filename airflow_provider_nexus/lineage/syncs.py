"""Lineage and metrics of a sync: OpenLineage facets, from which resource to where and whether it is proved, and metrics.

OpenLineage is an extra, so everything of it is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.compat import stats
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load.columns import Column, Table

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


PROVED = "nexus_window_is_complete"
FITTING = "nexus_records_fit_the_schema"


def lineage_of(
    summary: Mapping[str, Any], resource: Resource, target: tuple[str, str], columns: bool
) -> OperatorLineage[Any, Any]:
    """The facets of a sync that has ended.

    :param target: namespace and name of the data set that was written
    :param columns: whether it has the columns of the typed table; else it has the fields as Nexus names them
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import (
        data_quality_assertions_dataset,
        documentation_dataset,
        output_statistics_output_dataset,
        schema_dataset,
    )

    def schema(columns: Iterable[tuple[str, Column]]) -> schema_dataset.SchemaDatasetFacet:
        field = schema_dataset.SchemaDatasetFacetFields
        found = [field(name=name, type=column.kind, description=column.meaning) for name, column in columns]
        return schema_dataset.SchemaDatasetFacet(fields=found)

    table, assertion = Table(resource), data_quality_assertions_dataset.Assertion
    fields = table.by_path.items()
    checks = [
        assertion(assertion=PROVED, success=summary["verdict"] != Verdict.UNPROVED),
        assertion(assertion=FITTING, success=not summary["rejected"]),
    ]
    source = InputDataset(
        namespace=f"nexus://{summary['environment']}",
        name=resource.name,
        facets={
            "documentation": documentation_dataset.DocumentationDatasetFacet(description=resource.meaning),
            "schema": schema(fields),
        },
        inputFacets={
            "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions=checks)
        },
    )
    written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=summary["records"])
    output = OutputDataset(
        namespace=target[0],
        name=target[1],
        facets={"schema": schema([(column.name, column) for column in table.columns] if columns else fields)},
        outputFacets={"outputStatistics": written},
    )
    return OperatorLineage(inputs=[source], outputs=[output])


def file_target(path: str) -> tuple[str, str]:
    """Namespace and name of files at a URL or local path, by OpenLineage's naming."""
    parts = urlsplit(path)
    if parts.scheme in ("", "file"):
        return "file", parts.path
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "/"


def count_sync(summary: Mapping[str, Any]) -> None:
    """Send the numbers of a sync that has ended, among Airflow's own metrics, to StatsD and OpenTelemetry alike.

    ``nexus.sync.records``, ``.rejected`` and ``.calls`` are counters, ``nexus.sync.duration`` is a timer in milliseconds; all
    carry the resource, the environment and the verdict as tags.
    """
    tags = {name: str(summary[name]) for name in ("resource", "environment", "verdict")}
    for name in ("records", "rejected", "calls"):
        stats.incr(f"nexus.sync.{name}", int(summary[name]), tags=tags)
    stats.timing("nexus.sync.duration", summary["seconds"] * 1000, tags=tags)
