"""Catalogue, collections that belong to no other record: customers, transactions, orders and so on, and a tenant's registers."""

from __future__ import annotations

from functools import partial

from airflow_provider_nexus.api import lifecycles
from airflow_provider_nexus.api.resource import DateFilter, Resource, Shape, words
from airflow_provider_nexus.api.schemas import compliance, customers, mails, partner, trading, transactions, treasury

_CREATED_DATE = DateFilter("startDate", "endDate")
_CREATED_FROM = DateFilter("createdFrom", "createdTill")
_FINISHED_FROM = DateFilter("finishedFrom", "finishedTill", stamp="finished")
_SUMMED = words("tradeValue bankCommission partnerCommission networkCommission")
_declared = partial(Resource, is_seen=False, surface="B")

COLLECTIONS = (
    Resource(
        "transactions",
        "/transactions/custodian",
        transactions.TRANSACTION,
        "All transactions, those of brokers included",
        member_path="/transactions/custodian/{code}",
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
        "broker_transactions",
        "/transaction",
        transactions.BROKER_TRANSACTION,
        "Broker transactions of the classic generation",
        member_path="/transaction/{code}",
        key=("transactionCode",),
        created=_CREATED_DATE,
        filters=words("status customer type customerStatus customerTrustlevel customerIsHighrisk customerIsBusiness isSettled"),
        lifecycle=lifecycles.BROKER_TRANSACTION,
        totals_path="/transaction/totals",
        totals_flag="isSettled",
        totals_fields={"payoutValue": "payout", **{name: name for name in _SUMMED}},
        fiat_code=("currencyCode",),
        crypto_code=("cryptoCurrencyCode",),
        surface="A",
    ),
    Resource(
        "customers",
        "/customer",
        customers.CUSTOMER,
        "Customers",
        member_path="/customer/{code}",
        not_members=("/customer/bankaccounts",),
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
        "accounts",
        "/accounts",
        customers.ACCOUNT,
        "Accounts of all customers",
        member_path="/accounts/{code}",
        has_aliases=True,  # crypto code, dash, address
        not_members=("/accounts/tokens",),
        key=("accountCode",),
        created=_CREATED_DATE,
        filters=("customerCode", "cryptoCode", "bucketCode", "customerCryptoAddress", "depositAddress", "status"),
        lifecycle=lifecycles.ACCOUNT,
        surface="B",
    ),
    Resource(
        "orders",
        "/orders",
        trading.ORDER,
        "Orders at exchanges",
        member_path="/orders/{code}",
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
        "transfers",
        "/transfers",
        trading.TRANSFER,
        "Transfers between exchanges, hot wallet and cold store",
        key=("transferCode",),
        created=_CREATED_FROM,
        finished=_FINISHED_FROM,
        filters=("status", "sourceType", "sinkType", "sourceExchangeCode", "sinkExchangeCode"),
        lifecycle=lifecycles.TRANSFER,
        crypto_code=("cryptoCode",),
    ),
    Resource(
        "hot_wallet_mutations",
        "/balances/hotwallet/mutations",
        treasury.MUTATION,
        "Ledger of changes of the hot wallet",
        key=("transactionCode", "type", "cryptoCode", "cryptoAmount", "created"),
        created=DateFilter("startTime", "endTime"),
        filters=("cryptoCode", "transactionCode", "type"),
        crypto_code=("cryptoCode",),
        mutable=False,
    ),
    Resource(
        "mails",
        "/mail",
        mails.MAIL,
        "Mails that Nexus wants sent",
        member_path="/mail/{code}",
        created=_CREATED_DATE,
        filters=("accountCode", "customerCode", "transactionCode", "status", "type"),
        lifecycle=lifecycles.MAIL,
    ),
    Resource(
        "payment_methods",
        "/paymentmethod",
        partner.PAYMENT_METHOD,
        "Ways of paying, with their fees",
        member_path="/paymentmethod/{code}",
        filters=("code", "currency", "crypto", "transactionType"),
    ),
    Resource(
        "trust_levels",
        "/labelpartner/trustlevels",
        partner.TRUST_LEVEL,
        "Trust levels, with their limits",
        key=("name",),
        filters=("name",),
    ),
    Resource("portfolios", "/portfolios", partner.PORTFOLIO, "Portfolios", member_path="/portfolios/{code}", shape=Shape.ARRAY),
    Resource(
        "buckets",
        "/buckets",
        partner.BUCKET,
        "Buckets that accounts are in",
        member_path="/buckets/{code}",
        is_seen=False,
        filters=("customerCode",),
        surface="B",
    ),
    _declared("exchanges", "/exchanges", trading.EXCHANGE, "Connected exchanges", shape=Shape.ARRAY, wrapped_in=("exchanges",)),
    _declared(
        "trade_pairs",
        "/tradepairs",
        trading.TRADE_PAIR,
        "Trade pairs with bid and ask",
        shape=Shape.ARRAY,
        wrapped_in=("tradePairs",),
        key=("exchange.code", "code"),
    ),
    _declared("countries", "/labelpartner/countries", partner.COUNTRY, "Countries, and which of them are blocked"),
    _declared(
        "cryptocurrencies",
        "/labelpartner/cryptocurrencies",
        partner.CRYPTOCURRENCY,
        "How each crypto is set up: chain, receiving, least amounts",
        filters=("cryptoCode",),
    ),
    _declared(
        "crypto_addresses",
        "/cryptoaddress",
        partner.CRYPTO_ADDRESS,
        "Addresses that transfers may go to; they have no code, so the address, its memo and its creation are the key",
        key=("cryptoCode", "address", "addressReference", "exchangeWalletCode", "created"),
        stamp="created",
        filters=("address", "cryptoCode", "status", "sinkType", "sourceType"),
    ),
    _declared(
        "banks",
        "/banks",
        partner.BANK,
        "The register of banks",
        member_path="/banks/{code}",
        shape=Shape.ARRAY,
        key=("id",),
        filters=("bankId", "bicCode", "city", "countryCode", "ibanCode", "issuerId", "name"),
    ),
    _declared(
        "data_templates",
        "/labelpartner/datatemplates",
        partner.DATA_TEMPLATE,
        "Templates of the free data of customers and payment methods",
        key=("type", "code"),
        filters=("name",),
    ),
    Resource(
        "document_types",
        "/integrations/documentstore/type",
        partner.DOCUMENT_TYPE,
        "Types that stored documents are sorted by",
        member_path="/integrations/documentstore/type/{code}",
        stamp="createdOn",
        filters=("code", "name"),
    ),
    Resource(
        "document_store",
        "/integrations/documentstore",
        partner.DOCUMENT_STORE,
        "How the one document store is set up",
        shape=Shape.OBJECT,
        key=("name", "shareName"),
    ),
    _declared(
        "interest_schedules",
        "/interest/custodian/schedules",
        partner.INTEREST_SCHEDULE,
        "Schedules by which interest is paid, with their intervals",
        member_path="/interest/custodian/schedules/{code}",
        key=("id",),
    ),
    _declared(
        "sanction_lists", "/sanction/lists", compliance.SANCTION_LIST, "Sanction lists that can be searched", shape=Shape.ARRAY
    ),
    _declared(
        "sanction_list_uploads",
        "/sanction/lists/uploads",
        compliance.SANCTION_LIST_UPLOAD,
        "Versions of the sanction lists; they have no code, so list, version and time are the key",
        shape=Shape.ARRAY,
        key=("code", "version", "created"),
        filters=("excludeLatest",),
    ),
)
