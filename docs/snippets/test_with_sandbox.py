"""A pytest test of what a task does when Nexus has faults."""

from __future__ import annotations

import pytest

# [START sandbox]
from airflow_provider_nexus.exceptions import NexusServerError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.sandbox import Fault, RecordedCall, Sandbox, SandboxSettings


def test_a_bad_day(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(customers=100, transactions=1_000, days=7, clock_speed=0) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_DEFAULT", sandbox.connection_uri)

        settings: SandboxSettings = sandbox.configure(sort="ignored", max_limit=37)
        assert settings.customers == 100  # the other settings stay
        assert len(list(NexusHook().iter_records("customers"))) == 100

        sandbox.configure(faults=[Fault("status", path="/labelpartner", status=503, times=-1)])
        with pytest.raises(NexusServerError):
            NexusHook(retries=1).run("GET", "/labelpartner")
        last: RecordedCall = sandbox.calls[-1]
        assert (last.method, last.path, last.status) == ("GET", "/labelpartner", 503)

        before = sandbox.now
        sandbox.advance(seconds=3_600)
        assert (sandbox.now - before).total_seconds() >= 3_600


# [END sandbox]
