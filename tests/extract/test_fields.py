from __future__ import annotations

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.extract.fields import FieldWatch


def test_unknown_fields_are_named_with_their_place() -> None:
    watch = FieldWatch(get_resource("transactions"))
    watch.look(b'{"TransactionCode":"A","newField":{"x":1},"fees":{"partnerFeeFiat":1,"surprise":2},"data":{"free":"key"}}')
    assert watch.summary()["unknown_fields"] == ["fees.surprise", "newField"]


def test_the_fingerprint_follows_the_names_alone() -> None:
    def fingerprint(*records: bytes) -> str:
        watch = FieldWatch(get_resource("orders"))
        for record in records:
            watch.look(record)
        return str(watch.summary()["fingerprint"])

    assert fingerprint(b'{"orderCode":"A","amount":1}') == fingerprint(b'{"amount":2,"orderCode":"B"}')
    assert fingerprint(b'{"orderCode":"A"}') != fingerprint(b'{"orderCode":"A","amount":1}')
