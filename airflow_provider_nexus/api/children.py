"""Catalogue, children: collections that each belong to one record of a parent."""

from __future__ import annotations

from functools import partial

from airflow_provider_nexus.api.resource import DateFilter, Resource, Shape
from airflow_provider_nexus.api.schemas import compliance, customers, partner, transactions, treasury

_of_customers = partial(Resource, parent="customers", parent_field="customerCode")
_of_casp_customers = partial(_of_customers, surface="B")
_of_payment_methods = partial(Resource, parent="payment_methods", parent_field="paymentMethodCode", is_seen=False, surface="B")
_callbacks = partial(
    Resource,
    schema=transactions.CALLBACK,
    key=("transactionCode", "inserted", "url"),
    parent_field="transactionCode",
    fiat_code=("notification", "currencyCode"),
    crypto_code=("notification", "cryptoCurrencyCode"),
)

CHILDREN = (
    _of_customers(
        name="customer_persons",
        path="/customer/{parent}/person",
        schema=customers.PERSON,
        meaning="Persons linked to a customer",
        key=("id",),
        created=DateFilter("createdStartDate", "createdEndDate", stamp="createdOn"),
        filters=("id", "updatedStartDate", "updatedEndDate"),
    ),
    _of_customers(
        name="customer_bank_accounts",
        path="/customer/{parent}/bankaccounts",
        schema=customers.BANK_ACCOUNT,
        meaning="Bank accounts of a customer",
        key=("id",),
        created=DateFilter("createdStartDate", "createdEndDate"),
        filters=("id", "number", "bankId", "currencyCode", "isPrimary", "updatedStartDate", "updatedEndDate"),
    ),
    _of_customers(
        name="customer_traces",
        path="/customer/{parent}/trace",
        schema=customers.TRACE,
        meaning="IP addresses that a customer acted from",
        key=("customerCode", "created", "ip", "action", "entityType"),
        created=DateFilter("startDate", ""),
        surface="A",
        mutable=False,
    ),
    _callbacks(
        name="transaction_callbacks",
        path="/transactions/custodian/{parent}/callbacks",
        meaning="Callbacks sent for a transaction",
        parent="transactions",
        surface="B",
    ),
    _of_customers(
        name="documents",
        path="/integrations/documentstore/list",
        parent_query="customerCode",
        schema=customers.DOCUMENT,
        meaning="Documents stored for a customer",
        key=("filePath",),
        stamp="createdOn",
        sorted_by="CreatedDate",
    ),
    _of_casp_customers(
        name="customer_compliance_history",
        path="/customer/{parent}/complianceHistory",
        schema=compliance.COMPLIANCE_HISTORY,
        meaning="Changes of a customer's status, trust level and risk; they have no code, so their values are the key",
        key=("customerCode", "created", "status", "trustlevel", "riskQualification", "latestReview"),
        created=DateFilter("startDate", "endDate"),
        mutable=False,
    ),
    _of_casp_customers(
        name="customer_comments",
        path="/customer/{parent}/comments",
        schema=compliance.COMMENT,
        meaning="Comments on a customer",
        is_seen=False,
        key=("guid",),
        stamp="created",
    ),
    _of_casp_customers(
        name="customer_data",
        path="/customer/{parent}/data",
        schema=compliance.CUSTOMER_DATA,
        meaning="Free key and value data of a customer, one record for each key",
        shape=Shape.ARRAY,
        is_seen=False,
        key=("customerCode", "key"),
    ),
    _of_casp_customers(
        name="customer_personal_data",
        path="/customer/{parent}/personalData",
        schema=compliance.PERSONAL_DATA,
        meaning="Personal data of a customer",
        shape=Shape.OBJECT,
        is_seen=False,
        key=("customerCode",),
    ),
    _of_customers(
        name="customer_trace_summaries",
        path="/customer/{parent}/trace/summary",
        schema=compliance.TRACE_SUMMARY,
        meaning="Number of a customer's traces from each IP address",
        shape=Shape.ARRAY,
        key=("customerCode", "ip", "countryCode", "isp"),
        filters=("startDate",),
        surface="A",
    ),
    _of_casp_customers(
        name="customer_balances",
        path="/balances/customers/{parent}",
        schema=treasury.CUSTOMER_BALANCE,
        meaning="Custodian balances of a customer",
        shape=Shape.LISTS,
        holders={"cryptoBalances": ""},
        key=("customerCode", "code"),
        filters=("balanceDateTime",),
        crypto_code=("code",),
    ),
    Resource(
        name="transaction_flows",
        path="/transaction/{parent}/flows",
        schema=transactions.FLOW,
        meaning="Senders and receivers of a transaction on the chain",
        shape=Shape.OBJECT,
        is_seen=False,
        key=("transactionCode",),
        parent="transactions",
        parent_field="transactionCode",
        surface="B",
    ),
    _callbacks(
        name="broker_transaction_callbacks",
        path="/transaction/{parent}/callbacks",
        meaning="Callbacks sent for a broker transaction of the classic generation",
        parent="broker_transactions",
    ),
    _of_payment_methods(
        name="payment_method_customer_fees",
        path="/paymentmethod/{parent}/fees/customer",
        schema=partner.CUSTOMER_FEE,
        meaning="Fees of a payment method for single customers",
        key=("paymentMethodCode", "customerCode"),
        filters=("customerCode",),
    ),
    _of_payment_methods(
        name="payment_method_tag_fees",
        path="/paymentmethod/{parent}/fees/tag",
        schema=partner.TAG_FEE,
        meaning="Fees of a payment method for customers with a tag",
        key=("paymentMethodCode", "customerTag"),
        filters=("customerTag",),
    ),
)
