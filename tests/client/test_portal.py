from __future__ import annotations

import pytest

from airflow_provider_nexus.client.settings import check_template, record_address
from airflow_provider_nexus.exceptions import NexusConfigurationError


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("https://portal.example/{resource}/{code}", "https://portal.example/orders/A%2FB%20%26%C3%A9%3F%23"),
        ("https://portal.example/#/find?q={code}", "https://portal.example/#/find?q=A%2FB%20%26%C3%A9%3F%23"),
        ("https://portal.example", "https://portal.example"),
        ("https://portal.example:8443/{{x}}/{resource}", "https://portal.example:8443/{x}/orders"),
        ("http://127.0.0.1:8080/{resource}", "http://127.0.0.1:8080/orders"),
        ("http://localhost/", "http://localhost/"),
    ],
)
def test_the_address_of_a_record(template: str, address: str) -> None:
    assert record_address(check_template(template), "orders", "A/B &é?#") == address


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("http://portal.example/{code}", "use https"),
        ("javascript:alert(1)", "plain host"),
        ("ftp://portal.example/", "use https"),
        ("portal.example/{code}", "plain host"),
        ("https:///{code}", "plain host"),
        ("https://{code}.example/", "plain host"),
        ("https://{resource}/", "plain host"),
        ("https://portal.example\\@evil.example/", "user name"),
        ("https://me:secret-word@portal.example/", "user name or password"),
        ("https://portal.example/{kode}", r"unknown placeholder \{kode\}"),
        ("https://portal.example/{}", r"unknown placeholder \{\}"),
        ("https://portal.example/{0}", "unknown placeholder"),
        ("https://portal.example/{code.__class__}", "unknown placeholder"),
        ("https://portal.example/{code[0]}", "unknown placeholder"),
        ("https://portal.example/{code!r}", "unknown placeholder"),
        ("https://portal.example/{code:>99999999}", "unknown placeholder"),
        ("https://portal.example/{code", "odd brace"),
        ("https://portal.example/code}", "odd brace"),
        ("https://[portal/", "no address"),
        ("https://portal.example:port/", "no address"),
        ("https://portal.example/\x00", "plain host"),
    ],
)
def test_what_can_be_no_template(template: str, words: str) -> None:
    with pytest.raises(NexusConfigurationError, match=words) as caught:
        check_template(template)
    assert "secret-word" not in str(caught.value)
