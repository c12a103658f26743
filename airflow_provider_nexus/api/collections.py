"""Catalogue, collections that belong to no other record: customers, transactions, orders and so on."""

from __future__ import annotations

from airflow_provider_nexus.api import lifecycles
from airflow_provider_nexus.api.resource import DateFilter, Resource, Shape, words
from airflow_provider_nexus.api.schemas import configuration, customers, mails, trading, transactions, treasury

_CREATED_DATE = DateFilter("startDate", "endDate")
_CREATED_FROM = DateFilter("createdFrom", "createdTill")
_FINISHED_FROM = DateFilter("finishedFrom", "finishedTill", stamp="finished")

COLLECTIONS = (
    Resource(
        name="transactions",
        path="/transactions/custodian",
        member_path="/transactions/custodian/{code}",
        schema=transactions.TRANSACTION,
        meaning="All transactions; broker ones included on B",
        key=("transactionCode",),
        created=_CREATED_FROM,
        filters=words(
            "accountCode blockchainTxId cryptoCode currencyCode customerCode destinationCryptoAddress "
            "direction linkedTransactionCode transactionCode paymentMethodCode paymentReference status type"
        ),
        lifecycle=lifecycles.TRANSACTION,
        cancel=("POST", "/transactions/custodian/{code}/cancel"),
        fiat_code=("currencyCode",),
        crypto_code=("cryptoCode",),
        surface="B",
    ),
    Resource(
        name="broker_transactions",
        path="/transaction",
        member_path="/transaction/{code}",
        schema=transactions.BROKER_TRANSACTION,
        meaning="Broker transactions of the classic generation",
        key=("transactionCode",),
        created=_CREATED_DATE,
        filters=words("status customer type customerStatus customerTrustlevel customerIsHighrisk customerIsBusiness isSettled"),
        lifecycle=lifecycles.BROKER_TRANSACTION,
        totals_path="/transaction/totals",
        totals_flag="isSettled",
        totals_fields={
            "payoutValue": "payout",
            "tradeValue": "tradeValue",
            "bankCommission": "bankCommission",
            "partnerCommission": "partnerCommission",
            "networkCommission": "networkCommission",
        },
        fiat_code=("currencyCode",),
        crypto_code=("cryptoCurrencyCode",),
        surface="A",
    ),
    Resource(
        name="customers",
        path="/customer",
        member_path="/customer/{code}",
        not_members=("/customer/bankaccounts",),
        schema=customers.CUSTOMER,
        meaning="Customers",
        key=("customerCode",),
        created=_CREATED_DATE,
        filters=words(
            "bankAccount email externalCustomerCode isReviewRecommended latestReviewStartDate "
            "latestReviewEndDate latestTransactionStartDate latestTransactionEndDate portfolio "
            "riskQualification status trustLevel"
        ),
        lifecycle=lifecycles.CUSTOMER,
    ),
    Resource(
        name="accounts",
        path="/accounts",
        member_path="/accounts/{code}",
        has_aliases=True,  # crypto code, dash, address
        not_members=("/accounts/tokens",),
        schema=customers.ACCOUNT,
        meaning="Accounts of all customers",
        key=("accountCode",),
        created=_CREATED_DATE,
        filters=("customerCode", "cryptoCode", "bucketCode", "customerCryptoAddress", "depositAddress", "status"),
        lifecycle=lifecycles.ACCOUNT,
        surface="B",
    ),
    Resource(
        name="orders",
        path="/orders",
        member_path="/orders/{code}",
        schema=trading.ORDER,
        meaning="Orders at exchanges",
        key=("orderCode",),
        created=_CREATED_FROM,
        finished=_FINISHED_FROM,
        filters=words("orderCode status exchangeCode cryptoCode currencyCode orderType actionType amountFrom amountTo isPartial"),
        lifecycle=lifecycles.ORDER,
        cancel=("PUT", "/orders/{code}/cancel"),
        fiat_code=("tradePair", "currencyCode"),
        crypto_code=("tradePair", "cryptoCode"),
    ),
    Resource(
        name="transfers",
        path="/transfers",
        schema=trading.TRANSFER,
        meaning="Transfers between exchanges, hot wallet and cold store",
        key=("transferCode",),
        created=_CREATED_FROM,
        finished=_FINISHED_FROM,
        filters=("status", "sourceType", "sinkType", "sourceExchangeCode", "sinkExchangeCode"),
        lifecycle=lifecycles.TRANSFER,
        crypto_code=("cryptoCode",),
    ),
    Resource(
        name="hot_wallet_mutations",
        path="/balances/hotwallet/mutations",
        schema=treasury.MUTATION,
        meaning="Ledger of changes of the hot wallet",
        key=("transactionCode", "type", "cryptoCode", "cryptoAmount", "created"),
        created=DateFilter("startTime", "endTime"),
        filters=("cryptoCode", "transactionCode", "type"),
        crypto_code=("cryptoCode",),
        mutable=False,
    ),
    Resource(
        name="mails",
        path="/mail",
        member_path="/mail/{code}",
        schema=mails.MAIL,
        meaning="Mails that Nexus wants sent",
        created=_CREATED_DATE,
        filters=("accountCode", "customerCode", "transactionCode", "status", "type"),
        lifecycle=lifecycles.MAIL,
    ),
    Resource(
        name="payment_methods",
        path="/paymentmethod",
        member_path="/paymentmethod/{code}",
        schema=configuration.PAYMENT_METHOD,
        meaning="Ways of paying, with their fees",
        filters=("code", "currency", "crypto", "transactionType"),
    ),
    Resource(
        name="trust_levels",
        path="/labelpartner/trustlevels",
        schema=configuration.TRUST_LEVEL,
        meaning="Trust levels, with their limits",
        key=("name",),
        filters=("name",),
    ),
    Resource(
        name="portfolios",
        path="/portfolios",
        member_path="/portfolios/{code}",
        schema=configuration.PORTFOLIO,
        meaning="Portfolios",
        shape=Shape.ARRAY,
    ),
    Resource(
        name="buckets",
        path="/buckets",
        member_path="/buckets/{code}",
        schema=configuration.BUCKET,
        meaning="Buckets that accounts are in",
        is_seen=False,
        filters=("customerCode",),
        surface="B",
    ),
    Resource(
        name="exchanges",
        path="/exchanges",
        schema=trading.EXCHANGE,
        meaning="Connected exchanges",
        shape=Shape.ARRAY,
        is_seen=False,
        wrapped_in=("exchanges",),
        surface="B",
    ),
    Resource(
        name="trade_pairs",
        path="/tradepairs",
        schema=trading.TRADE_PAIR,
        meaning="Trade pairs with bid and ask",
        shape=Shape.ARRAY,
        is_seen=False,
        wrapped_in=("tradePairs",),
        key=("exchange.code", "code"),
        surface="B",
    ),
)
