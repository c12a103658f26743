"""Catalogue, children: collections that each belong to one record of a parent."""

from functools import partial

from airflow_provider_nexus.api.resource import DateFilter, Resource, Shape
from airflow_provider_nexus.api.schemas import compliance, customers, partner, transactions, treasury

_of_customers = partial(Resource, parent="customers", parent_field="customerCode")
_of_casp_customers = partial(_of_customers, surface="B")
_declared_of_customers = partial(_of_casp_customers, is_seen=False)
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
        "customer_persons",
        "/customer/{parent}/person",
        customers.PERSON,
        "Persons linked to a customer",
        key=("id",),
        created=DateFilter("createdStartDate", "createdEndDate", stamp="createdOn"),
        filters=("id", "updatedStartDate", "updatedEndDate"),
    ),
    _of_customers(
        "customer_bank_accounts",
        "/customer/{parent}/bankaccounts",
        customers.BANK_ACCOUNT,
        "Bank accounts of a customer",
        key=("id",),
        created=DateFilter("createdStartDate", "createdEndDate"),
        filters=("id", "number", "bankId", "currencyCode", "isPrimary", "updatedStartDate", "updatedEndDate"),
    ),
    _of_customers(
        "customer_traces",
        "/customer/{parent}/trace",
        customers.TRACE,
        "IP addresses that a customer acted from",
        key=("customerCode", "created", "ip", "action", "entityType"),
        created=DateFilter("startDate", ""),
        surface="A",
        mutable=False,
    ),
    _callbacks(
        "transaction_callbacks",
        "/transactions/custodian/{parent}/callbacks",
        meaning="Callbacks sent for a transaction",
        parent="transactions",
        surface="B",
    ),
    _of_customers(
        "documents",
        "/integrations/documentstore/list",
        customers.DOCUMENT,
        "Documents stored for a customer",
        parent_query="customerCode",
        key=("filePath",),
        stamp="createdOn",
        sorted_by="CreatedDate",
    ),
    _of_casp_customers(
        "customer_compliance_history",
        "/customer/{parent}/complianceHistory",
        compliance.COMPLIANCE_HISTORY,
        "Changes of a customer's status, trust level and risk; they have no code, so their values are the key",
        key=("customerCode", "created", "status", "trustlevel", "riskQualification", "latestReview"),
        created=DateFilter("startDate", "endDate"),
        mutable=False,
    ),
    _declared_of_customers(
        "customer_comments",
        "/customer/{parent}/comments",
        compliance.COMMENT,
        "Comments on a customer",
        key=("guid",),
        stamp="created",
    ),
    _declared_of_customers(
        "customer_data",
        "/customer/{parent}/data",
        compliance.CUSTOMER_DATA,
        "Free key and value data of a customer, one record for each key",
        shape=Shape.ARRAY,
        key=("customerCode", "key"),
    ),
    _declared_of_customers(
        "customer_personal_data",
        "/customer/{parent}/personalData",
        compliance.PERSONAL_DATA,
        "Personal data of a customer",
        shape=Shape.OBJECT,
        key=("customerCode",),
    ),
    _of_customers(
        "customer_trace_summaries",
        "/customer/{parent}/trace/summary",
        compliance.TRACE_SUMMARY,
        "Number of a customer's traces from each IP address",
        shape=Shape.ARRAY,
        key=("customerCode", "ip", "countryCode", "isp"),
        filters=("startDate",),
        surface="A",
    ),
    _of_casp_customers(
        "customer_balances",
        "/balances/customers/{parent}",
        treasury.CUSTOMER_BALANCE,
        "Custodian balances of a customer",
        shape=Shape.LISTS,
        holders={"cryptoBalances": ""},
        key=("customerCode", "code"),
        filters=("balanceDateTime",),
        crypto_code=("code",),
    ),
    Resource(
        "transaction_flows",
        "/transaction/{parent}/flows",
        transactions.FLOW,
        "Senders and receivers of a transaction on the chain",
        shape=Shape.OBJECT,
        is_seen=False,
        key=("transactionCode",),
        parent="transactions",
        parent_field="transactionCode",
        surface="B",
    ),
    _callbacks(
        "broker_transaction_callbacks",
        "/transaction/{parent}/callbacks",
        meaning="Callbacks sent for a broker transaction of the classic generation",
        parent="broker_transactions",
    ),
    _of_payment_methods(
        "payment_method_customer_fees",
        "/paymentmethod/{parent}/fees/customer",
        partner.CUSTOMER_FEE,
        "Fees of a payment method for single customers",
        key=("paymentMethodCode", "customerCode"),
        filters=("customerCode",),
    ),
    _of_payment_methods(
        "payment_method_tag_fees",
        "/paymentmethod/{parent}/fees/tag",
        partner.TAG_FEE,
        "Fees of a payment method for customers with a tag",
        key=("paymentMethodCode", "customerTag"),
        filters=("customerTag",),
    ),
)
