"""The children of the catalogue: collections that each belong to one record of a parent."""

from __future__ import annotations

from airflow_provider_nexus.api.resource import DateFilter, Resource
from airflow_provider_nexus.api.schemas import customers, transactions

CHILDREN = (
    Resource(
        name="customer_persons",
        path="/customer/{parent}/person",
        schema=customers.PERSON,
        meaning="Persons linked to a customer",
        key=("id",),
        created=DateFilter("createdStartDate", "createdEndDate", stamp="createdOn"),
        filters=("id", "updatedStartDate", "updatedEndDate"),
        mutable=True,
        parent="customers",
        parent_field="customerCode",
    ),
    Resource(
        name="customer_bank_accounts",
        path="/customer/{parent}/bankaccounts",
        schema=customers.BANK_ACCOUNT,
        meaning="Bank accounts of a customer",
        key=("id",),
        created=DateFilter("createdStartDate", "createdEndDate"),
        filters=("id", "number", "bankId", "currencyCode", "isPrimary", "updatedStartDate", "updatedEndDate"),
        mutable=True,
        parent="customers",
        parent_field="customerCode",
    ),
    Resource(
        name="customer_traces",
        path="/customer/{parent}/trace",
        schema=customers.TRACE,
        meaning="IP addresses that a customer acted from",
        key=("customerCode", "created", "ip", "action", "entityType"),
        created=DateFilter("startDate", ""),
        parent="customers",
        parent_field="customerCode",
        surface="A",
    ),
    Resource(
        name="transaction_callbacks",
        path="/transactions/custodian/{parent}/callbacks",
        schema=transactions.CALLBACK,
        meaning="Callbacks sent for a transaction",
        key=("transactionCode", "inserted", "url"),
        mutable=True,
        parent="transactions",
        parent_field="transactionCode",
        fiat_code=("notification", "currencyCode"),
        crypto_code=("notification", "cryptoCurrencyCode"),
        surface="B",
    ),
    Resource(
        name="documents",
        path="/integrations/documentstore/list",
        parent_query="customerCode",
        schema=customers.DOCUMENT,
        meaning="Documents stored for a customer",
        key=("filePath",),
        stamp="createdOn",
        mutable=True,
        parent="customers",
        parent_field="customerCode",
    ),
)
