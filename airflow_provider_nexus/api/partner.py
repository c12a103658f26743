"""Catalogue, registers of a tenant: countries, cryptos, addresses, banks, document types, sanction lists, interest."""

from __future__ import annotations

from functools import partial

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.schemas import compliance, partner

_declared = partial(Resource, is_seen=False, surface="B")

REGISTERS = (
    _declared(
        name="countries",
        path="/labelpartner/countries",
        schema=partner.COUNTRY,
        meaning="Countries, and which of them are blocked",
    ),
    _declared(
        name="cryptocurrencies",
        path="/labelpartner/cryptocurrencies",
        schema=partner.CRYPTOCURRENCY,
        meaning="How each crypto is set up: chain, receiving, least amounts",
        filters=("cryptoCode",),
    ),
    _declared(
        name="crypto_addresses",
        path="/cryptoaddress",
        schema=partner.CRYPTO_ADDRESS,
        meaning="Addresses that transfers may go to; they have no code, so the address, its memo and its creation are the key",
        key=("cryptoCode", "address", "addressReference", "exchangeWalletCode", "created"),
        stamp="created",
        filters=("address", "cryptoCode", "status", "sinkType", "sourceType"),
    ),
    _declared(
        name="banks",
        path="/banks",
        member_path="/banks/{code}",
        schema=partner.BANK,
        meaning="The register of banks",
        shape=Shape.ARRAY,
        key=("id",),
        filters=("bankId", "bicCode", "city", "countryCode", "ibanCode", "issuerId", "name"),
    ),
    _declared(
        name="data_templates",
        path="/labelpartner/datatemplates",
        schema=partner.DATA_TEMPLATE,
        meaning="Templates of the free data of customers and payment methods",
        key=("type", "code"),
        filters=("name",),
    ),
    Resource(
        name="document_types",
        path="/integrations/documentstore/type",
        member_path="/integrations/documentstore/type/{code}",
        schema=partner.DOCUMENT_TYPE,
        meaning="Types that stored documents are sorted by",
        stamp="createdOn",
        filters=("code", "name"),
    ),
    Resource(
        name="document_store",
        path="/integrations/documentstore",
        schema=partner.DOCUMENT_STORE,
        meaning="How the one document store is set up",
        shape=Shape.OBJECT,
        key=("name", "shareName"),
    ),
    _declared(
        name="interest_schedules",
        path="/interest/custodian/schedules",
        member_path="/interest/custodian/schedules/{code}",
        schema=partner.INTEREST_SCHEDULE,
        meaning="Schedules by which interest is paid, with their intervals",
        key=("id",),
    ),
    _declared(
        name="sanction_lists",
        path="/sanction/lists",
        schema=compliance.SANCTION_LIST,
        meaning="Sanction lists that can be searched",
        shape=Shape.ARRAY,
    ),
    _declared(
        name="sanction_list_uploads",
        path="/sanction/lists/uploads",
        schema=compliance.SANCTION_LIST_UPLOAD,
        meaning="Versions of the sanction lists; they have no code, so list, version and time are the key",
        shape=Shape.ARRAY,
        key=("code", "version", "created"),
        filters=("excludeLatest",),
    ),
)
