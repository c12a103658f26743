"""A tenant: itself, its trust levels, portfolios, buckets, payment methods with fees, registers and interest."""

from __future__ import annotations

from airflow_provider_nexus.api.schemas.field import Field, flag, integer, many, mapping, nested, price, ratio, schema, text, time

LABEL_PARTNER = schema(
    "LabelPartner",
    text("labelPartnerCode", "Code of the tenant"),
    text("baseCurrencyCode", "Base currency"),
    text("businessModel", "Broker, Custodian or Token"),
    mapping("features", "Features switched on", surface="B"),
    ratio("maximumAllowedYieldDeviationValue", "Largest yield deviation allowed", surface="B"),
)


def _limits(name: str, meaning: str) -> Field:
    return nested(
        name,
        meaning,
        price("dailyLimit", "Per day"),
        price("monthlyLimit", "Per month"),
        price("yearLimit", "Per year"),
        price("lifetimeLimit", "Ever"),
    )


TRUST_LEVEL = schema(
    "TrustLevel",
    text("name", "Name; its key"),
    text("description", "Description"),
    flag("isActive", "In use"),
    flag("requireExecutedSellDoesNotExceedLifetimeBuy", "Sells may not exceed what was ever bought"),
    _limits("buyLimits", "Limits on buying, in the base currency"),
    _limits("sellLimits", "Limits on selling, in the base currency"),
    nested("overallLimits", "Other limits", price("custodianLimit", "Largest balance in custody")),
    mapping("flags", "Free flags"),
)

PORTFOLIO = schema(
    "Portfolio", text("code", "Code"), text("name", "Name"), flag("mailsEnabled", "Mails are made for its customers")
)

BUCKET = schema(
    "Bucket",
    text("code", "Code"),
    text("name", "Name"),
    text("customerCode", "Owner, if any", personal=True),
    time("created", "When it was made"),
    time("updated", "When it was last changed"),
)

PAYMENT_METHOD = schema(
    "PaymentMethod",
    text("code", "Code"),
    text("name", "Name"),
    text("cryptoCode", "Crypto that it is bound to, if any"),
    text("currencyCode", "Currency that it is bound to, if any"),
    nested(
        "fees",
        "Fees",
        nested("bank", "Bank", price("fixed", "Fixed amount"), ratio("relative", "Fraction")),
        nested("service", "Service", ratio("relative", "Fraction")),
    ),
    nested("paymentType", "Way of paying", text("code", "Code"), text("description", "Description"), text("name", "Name")),
    text("transactionType", "Transactions that it can be used for", surface="B"),
)

COUNTRY = schema(
    "Country",
    text("code", "Country code"),
    text("description", "Name"),
    text("status", "None, or Blocked: no customer may come from it"),
)

CRYPTOCURRENCY = schema(
    "CryptoCurrency",
    text("code", "Crypto code"),
    text("name", "Name"),
    flag("isActive", "In use"),
    flag("isEnabled", "Switched on"),
    nested(
        "blockchain",
        "The chain that it lives on",
        text("name", "Name"),
        text("addressExplorerURL", "Where an address can be looked up"),
        text("transactionExplorerURL", "Where a transaction can be looked up"),
    ),
    text("hotWalletReceiveFlow", "MultiAddressFlow, SingleAddressUsingMemoFlow or MultiAddressWithForwardingToMainAddressFlow"),
    nested(
        "transactionLimits",
        "Limits on single transactions, whatever the trust level",
        nested("sell", "Limits on selling", price("minimalAmount", "Least amount of crypto")),
        nested("buy", "Limits on buying", price("minimalValue", "Least value in the currency")),
    ),
)


def _place(name: str, meaning: str) -> Field:
    kind = text(f"{name}Type", "Exchange, HotWallet, Coldstore or Other")
    exchange = text(f"{name}TradeExchangeCode", "Exchange"), text(f"{name}TradeExchangeName", "Name of the exchange")
    return nested(name, meaning, kind, *exchange)


CRYPTO_ADDRESS = schema(
    "CryptoAddress",
    text("cryptoCode", "Crypto"),
    text("address", "Address on the chain, of the tenant or of an exchange"),
    text("addressReference", "Memo or tag that belongs to the address"),
    text("exchangeWalletCode", "Wallet at the exchange"),
    many("status", "Inactive, Active, Deleted, Whitelisted, NotValidated, ToBeDeleted; several at once"),
    _place("sink", "Where crypto sent to it arrives"),
    _place("source", "Where it may be sent from"),
    text("comment", "Comment"),
    time("created", "When it was added"),
    text("createdBy", "Who added it", personal=True),
)

NAMED_COUNTRY = (text("code", "Country code"), text("name", "Country name"))

BANK = schema(
    "Bank",
    text("id", "Guid of the bank"),
    text("name", "Name"),
    nested("country", "Country; declared as its code alone", *NAMED_COUNTRY, also=("text",)),
    text("bicCode", "BIC"),
    text("city", "City"),
)

DATA_TEMPLATE = schema(
    "DataTemplate",
    text("code", "Code, the key of the data"),
    text("name", "Name"),
    text("description", "Description"),
    text("type", "Customer or PaymentMethod"),
    text("entityType", "All, Private or Business"),
)

DOCUMENT_TYPE = schema(
    "DocumentType",
    text("code", "Code"),
    text("name", "Name"),
    text("description", "Description"),
    time("createdOn", "When it was made"),
    time("updatedOn", "When it was last changed"),
)

DOCUMENT_STORE = schema(
    "DocumentStore",
    text("name", "Name"),
    text("description", "Description"),
    text("documentStoreType", "AzureFiles"),
    text("shareName", "Share that the files lie in"),
    integer("maxFileSizeInMB", "Largest file in MB"),
    integer("maxFileCount", "Most files"),
)


def _period(name: str, meaning: str) -> Field:
    return nested(name, meaning, integer("amount", "How many of the unit"), text("unit", "Days or Months"))


_SPAN = (text("id", "Guid"), integer("number", "Place among its siblings"), time("from", "Start"), time("to", "End"))

INTEREST_SCHEDULE = schema(
    "InterestSchedule",
    text("id", "Guid of the schedule"),
    text("cryptoCode", "Crypto that balances are counted and paid in"),
    text("currencyCode", "Currency of the value paid out"),
    text("bucketCode", "Bucket whose balances count"),
    text("paymentMethodCode", "Payment method that is paid out with"),
    ratio("defaultRate", "Rate of a new interval"),
    time("startDate", "When the first interval starts"),
    _period("payoutPeriod", "Length of an interval"),
    _period("subIntervalPeriod", "Length of a sub-interval, in which balance and rate are taken"),
    many(
        "intervals",
        "Intervals planned",
        *_SPAN,
        many("subIntervals", "Sub-intervals", *_SPAN, ratio("adjustedRate", "Rate of the sub-interval")),
    ),
)

_METHOD = text("paymentMethodCode", "Payment method; not on the wire, added by the provider")
_FEE = ratio("value", "Service fee in place of the payment method's own, a fraction from 0 to 1")

CUSTOMER_FEE = schema("CustomerFee", _METHOD, text("customerCode", "Customer that it is for", personal=True), _FEE)
TAG_FEE = schema("TagFee", _METHOD, text("customerTag", "Tag of the customers that it is for"), _FEE)
