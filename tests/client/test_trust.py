"""Whose certificates are taken: the same by both clients, and a sentence that says what to do where one is not."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_nexus.api.environments import Environment
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusConnectionError
from tests.client.serving import CANARY, Client, all_that_it_says, in_both_clients
from tests.client.socket_server import SocketServer, answer

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
DONE = answer(b'{"errors":null,"values":{"a":1}}')
GET = Call("GET", "/currencies")


@dataclass(frozen=True)
class Authority:
    """A private authority, and what it has given out.

    :param trusted: its own certificate
    :param sound: for this machine
    :param late: for this machine, expired
    :param other: for another machine
    """

    trusted: Path
    sound: Path
    late: Path
    other: Path


def _written(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain) if key else b""
    path.write_bytes(secret + certificate.public_bytes(encoding))
    return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder, now = tmp_path_factory.mktemp("authority"), datetime.now(UTC)
    root, issuer = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Bank CA")])

    def signed(key: ec.EllipticCurvePrivateKey, number: int, name: x509.Name, until: timedelta, *more: Any) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(number).not_valid_before(now - timedelta(days=9)).not_valid_after(now + until)
        for extension in more:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(root, hashes.SHA256())

    def leaf(name: str, number: int, until: timedelta, address: str) -> Path:
        key, names = ec.generate_private_key(ec.SECP256R1()), x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        return _written(folder / f"{name}.pem", signed(key, number, subject, until, names), key)

    own = signed(root, 1, issuer, timedelta(days=9), x509.BasicConstraints(ca=True, path_length=None))
    return Authority(
        _written(folder / "authority.pem", own),
        leaf("sound", 2, timedelta(days=1), "127.0.0.1"),
        leaf("late", 3, -timedelta(days=1), "127.0.0.1"),
        leaf("other", 4, timedelta(days=1), "127.0.0.2"),
    )


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def ended(client: Client, certificate: Path) -> Any:
    """What a call of a server with a certificate ends in."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with SocketServer(DONE, tls=tls) as server:
        return client(ClientSettings(Environment("bank", server.base_url), Secret(CANARY), retries=0), GET)


def folder_of(authority: Authority, folder: Path) -> Path:
    """A folder of certificates as OpenSSL reads it."""
    made = folder / "certificates"
    made.mkdir()
    subject = x509.load_pem_x509_certificate(authority.trusted.read_bytes()).subject
    (made / f"{_hashed(subject):08x}.0").write_bytes(authority.trusted.read_bytes())
    return made


def _hashed(subject: x509.Name) -> int:
    """The name of a file in such a folder: of the name in capitals' canonical form (X509_NAME_hash)."""
    import hashlib

    common = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value.lower().encode()  # type: ignore[union-attr]
    value = b"\x0c" + bytes([len(common)]) + common
    pair = b"\x06\x03\x55\x04\x03" + value
    sequence = b"\x30" + bytes([len(pair)]) + pair
    canonical = b"\x31" + bytes([len(sequence)]) + sequence
    return int.from_bytes(hashlib.sha1(canonical, usedforsecurity=False).digest()[:4], "little")


@in_both_clients
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_is_heeded(
    client: Client, name: str, kind: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(authority.trusted if kind == "file" else folder_of(authority, tmp_path)))
    assert ended(client, authority.sound) == {"a": 1}


@in_both_clients
@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("later", VARIABLES)
def test_the_first_that_is_set_counts_and_is_the_one_that_is_named(
    client: Client, name: str, later: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(later, str(authority.trusted))
    monkeypatch.setenv(name, "/no/such/bundle.pem")
    error = ended(client, authority.sound)
    if VARIABLES.index(later) < VARIABLES.index(name):
        assert error == {"a": 1}
        return
    assert isinstance(error, NexusConfigurationError)
    assert f"the environment variable {name} names /no/such/bundle.pem, which does not exist" in str(error)


@in_both_clients
@pytest.mark.parametrize("name", [None, *VARIABLES])
def test_an_unknown_issuer_says_what_to_do(
    client: Client, name: str | None, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name:
        monkeypatch.setenv(name, str(authority.other))
    error = ended(client, authority.sound)
    assert isinstance(error, NexusConnectionError)
    said = str(error)
    assert "the certificate of the server is not accepted: unable to get local issuer certificate. Where a private" in said
    assert "the file that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names" in said
    assert (f"{name}, which is {authority.other}, names those" if name else "those of certifi are trusted now") in said
    assert CANARY not in all_that_it_says(error)


@in_both_clients
@pytest.mark.parametrize(("which", "why"), [("late", "certificate has expired"), ("other", "IP address mismatch")])
def test_what_is_wrong_with_a_certificate_is_told(
    client: Client, which: str, why: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    error = ended(client, getattr(authority, which))
    assert isinstance(error, NexusConnectionError)
    assert f"the certificate of the server is not accepted: {why}" in str(error)
    assert "REQUESTS_CA_BUNDLE" not in str(error)
