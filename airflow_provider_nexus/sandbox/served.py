"""Serving of each resource: query names, names to sort by, where filters look, and forms of stamps, as the sources show them.

Query names are written out here and not derived from the catalogue, so that a slip there is seen (docs/api_facts.rst, paging).
All others are ignored, as servers do. The records themselves are made in ``data``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from airflow_provider_nexus.api.resource import DateFilter
from airflow_provider_nexus.sandbox.stamps import Form, naive, zulu, zulu_millis, zulu_ticks

_PAGES = "page limit"
_SORTED = "page limit sortBy sortDirection"
_LIMITS = "paymentMethodCode cryptoCode currencyCode"
_ACCOUNTS = f"cryptoCode bucketCode customerCryptoAddress depositAddress status startDate endDate {_SORTED}"
_BROKER = (
    "status customer type customerStatus customerTrustlevel customerIsHighrisk customerIsBusiness isSettled startDate endDate"
    f" {_PAGES}"
)

NAMES: Mapping[str, str] = {
    "/customer": "bankAccount email startDate endDate externalCustomerCode isReviewRecommended latestReviewStartDate"
    " latestReviewEndDate latestTransactionStartDate latestTransactionEndDate portfolio riskQualification status trustLevel"
    f" {_SORTED}",
    "/customer/{}/trace": "startDate",
    "/customer/{}/trace/summary": "startDate",
    "/customer/{}/complianceHistory": f"startDate endDate {_PAGES}",
    "/customer/{}/comments": _PAGES,
    "/customer/{}/comments/{}/history": _PAGES,
    "/customer/{}/limits/broker/buy": _LIMITS,
    "/customer/{}/limits/broker/sell": _LIMITS,
    "/customer/{}/accounts": _ACCOUNTS,
    "/customer/{}/person": f"id createdStartDate createdEndDate updatedStartDate updatedEndDate {_SORTED}",
    "/customer/{}/bankaccounts": "id number bankId currencyCode isPrimary createdStartDate createdEndDate updatedStartDate"
    f" updatedEndDate {_SORTED}",
    "/accounts": f"customerCode {_ACCOUNTS}",
    "/transaction": _BROKER,
    "/transaction/totals": _BROKER,
    "/transaction/{}/callbacks": _PAGES,
    "/transactions/custodian": "accountCode blockchainTxId createdFrom createdTill cryptoCode currencyCode customerCode"
    " destinationCryptoAddress direction linkedTransactionCode transactionCode paymentMethodCode paymentReference status type"
    f" {_SORTED}",
    "/transactions/custodian/{}/callbacks": _PAGES,
    "/prices/{}/{}/historic": "hours",
    "/api/MinuteChart/GetDefault/{}": "currency dcCode",
    "/reserves": "reservesTimeStamp",
    "/balances": "balanceDateTime",
    "/balances/customers/{}": "balanceDateTime",
    "/balances/hotwallet/mutations": f"cryptoCode transactionCode type startTime endTime {_SORTED}",
    "/orders": "orderCode createdFrom createdTill finishedFrom finishedTill status exchangeCode cryptoCode currencyCode orderType"
    f" actionType amountFrom amountTo isPartial {_SORTED}",
    "/transfers": "createdFrom createdTill finishedFrom finishedTill status sourceType sinkType sourceExchangeCode"
    f" sinkExchangeCode {_SORTED}",
    "/cryptoaddress": f"address cryptoCode status sinkType sourceType {_PAGES}",
    "/labelpartner/trustlevels": f"name {_SORTED}",
    "/labelpartner/countries": _PAGES,
    "/labelpartner/cryptocurrencies": f"cryptoCode {_PAGES} sortDirection",
    "/labelpartner/datatemplates": f"name {_SORTED}",
    "/banks": "bankId bicCode city countryCode ibanCode issuerId name",
    "/interest/custodian/schedules": _PAGES,
    "/buckets": f"customerCode {_PAGES}",
    "/paymentmethod": f"code currency crypto transactionType {_SORTED}",
    "/paymentmethod/{}/fees/customer": f"customerCode {_PAGES} sortDirection",
    "/paymentmethod/{}/fees/tag": f"customerTag {_PAGES} sortDirection",
    "/mail": f"accountCode customerCode transactionCode status type startDate endDate {_SORTED}",
    "/integrations/documentstore/file": "filePath",
    "/integrations/documentstore/list": f"customerCode {_SORTED}",
    "/integrations/documentstore/type": f"code name {_SORTED}",
    "/sanction/lists/uploads": "ExcludeLatest",
    "/sanction/validatedentry/{}/{}": "EnvironmentCode",
}
"""By path, placeholders without their names; a path that is not here takes none."""

SORTS: Mapping[str, str] = {
    "/customer": "customerCode email countryCode currencyCode created status trustlevel portFolioCode isBusiness bankAccount"
    " name firstName lastName dateOfBirth phone companyName address city zipCode state tag externalCustomerCode"
    " firstTransaction latestTransaction latestReview isReviewRecommended riskQualification",
    "/customer/{}/person": "id customerCode firstName lastName dateOfBirth ownershipPercentage createdOn createdBy updatedOn"
    " updatedBy",
    "/customer/{}/bankaccounts": "id number name customerCode currencyCode isPrimary created createdBy updated updatedBy",
    **dict.fromkeys(
        ("/accounts", "/customer/{}/accounts"),
        "guid accountCode customerCode created activated dcReceiveAddress customerCryptoAddress dcCode accountStatus accountType"
        " bucketCode",
    ),
    "/transactions/custodian": "transactionCode linkedTransactionCode customerCode accountCode type direction status cryptoCode"
    " currencyCode paymentMethodCode paymentReference callbackUrl destinationCryptoAddress blockchainMessage"
    " blockchainTransactionId created swapMarginAmountCrypto",
    "/balances/hotwallet/mutations": "type created transactionCode cryptoAmount cryptoCode value",
    "/orders": "orderCode exchangeTradeCode action type status amount limitPrice created finished originalValidTill reason",
    "/transfers": "transferCode type status amount created finished exchangeTransferCode price txId userName comment cryptoCode",
    "/labelpartner/trustlevels": "name description isActive requireExecutedSellDoesNotExceedLifetimeBuy",
    "/labelpartner/datatemplates": "code name description type entityType",
    "/paymentmethod": "code name cryptoCode currencyCode transactionType",
    "/mail": "code created sent status type count",
    "/integrations/documentstore/list": "CreatedDate",
    "/integrations/documentstore/type": "code name description createdOn updatedOn",
}
"""The names to sort by: fields of the records, but for the documents, whose only known one is none."""

LOOKS_AT: Mapping[str, Mapping[str, str]] = {
    "transactions": {"blockchainTxId": "blockchainTransactionId"},
    "broker_transactions": {
        "customer": "customerCode",
        "customerStatus": "customer.status",
        "customerTrustlevel": "customer.trustlevel",
        "customerIsHighrisk": "customer.isHighRisk",
        "customerIsBusiness": "customer.isBusiness",
    },
    "customers": {"portfolio": "portFolioCode", "trustLevel": "trustlevel"},
    "accounts": {"cryptoCode": "dcCode", "depositAddress": "dcReceiveAddress", "status": "accountStatus"},
    "orders": {
        **{name: f"tradePair.{name}" for name in ("exchangeCode", "cryptoCode", "currencyCode")},
        "orderType": "type",
        "actionType": "action",
        "isPartial": "executed.partial",
    },
    "transfers": {name: f"address.{name}" for name in ("sourceType", "sinkType", "sourceExchangeCode", "sinkExchangeCode")},
    "mails": {name: f"references.{name}" for name in ("accountCode", "customerCode", "transactionCode")},
    "payment_methods": {"currency": "currencyCode", "crypto": "cryptoCode"},
    "customer_bank_accounts": {"bankId": "bank.id"},
    "crypto_addresses": {"sinkType": "sink.sinkType", "sourceType": "source.sourceType"},
    "banks": {"bankId": "id", "countryCode": "country"},
    "cryptocurrencies": {"cryptoCode": "code"},
}
"""By resource and query name: the field that a filter looks at, where it has another name."""

MORE_DATES: Mapping[str, tuple[DateFilter, ...]] = {
    "customers": (
        DateFilter("latestReviewStartDate", "latestReviewEndDate", "latestReview"),
        DateFilter("latestTransactionStartDate", "latestTransactionEndDate", "latestTransaction"),
    ),
    "customer_persons": (DateFilter("updatedStartDate", "updatedEndDate", "updatedOn"),),
    "customer_bank_accounts": (DateFilter("updatedStartDate", "updatedEndDate", "updated"),),
}
"""By resource: date filters that the catalogue does not use."""

FORMS: Mapping[str, Form] = {
    **dict.fromkeys(("customers", "broker_transactions", "orders", "transfers"), naive),
    **dict.fromkeys(("reserves", "prices", "broker_balances"), naive),
    **dict.fromkeys(("mails", "hot_wallet_mutations", "currencies"), zulu),
    "transactions": zulu_millis,
    "accounts": zulu_ticks,
}
"""By resource: the form of stamps without the header. Those of transactions and accounts were never seen. They get the two
forms with a fraction, so that a client meets them. All others are like those of transactions."""

NOUNS = {
    "transactions": "Transaction",
    "broker_transactions": "Transaction",
    "documents": "Document",
    "payment_method_customer_fees": "Fee",
    "payment_method_tag_fees": "Fee",
}
"""By resource: what a record is called in error codes, where that is not the name of its schema."""

_UNSHOWN = {
    "transaction_sort": ("/transaction", "sortBy sortDirection", "transactionCode created status finished"),
    "trace_pages": ("/customer/{}/trace", _SORTED, "created"),
}


@dataclass(frozen=True)
class Taken:
    """What one call takes, all in lower case: query names, and names to sort by."""

    names: frozenset[str] = frozenset()
    sorts: frozenset[str] = frozenset()


def _folded(names: str) -> frozenset[str]:
    return frozenset(names.lower().split())


def _plain(path: str) -> str:
    return re.sub(r"\{\w*\}", "{}", path).lower()


_TAKEN = {_plain(path): Taken(_folded(names), _folded(SORTS.get(path, ""))) for path, names in NAMES.items()}


def taken(path: str, other_shapes: Collection[str] = ()) -> Taken:
    """What calls of a route take, by the template of its path; some ``other_shapes`` add what no source shows."""
    found = _TAKEN.get(_plain(path), Taken())
    for shape, (where, names, sorts) in _UNSHOWN.items():
        if shape in other_shapes and _plain(path) == where:
            found = Taken(found.names | _folded(names), found.sorts | _folded(sorts))
    return found
