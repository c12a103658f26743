"""Prices, currencies, reserves, balances and the hot wallet's ledger."""

from airflow_provider_nexus.api.schemas.field import crypto, flag, many, price, schema, text, time

CURRENCY = schema(
    "Currency",
    text("code", "ISO 4217 code"),
    text("name", "Name"),
    flag("isActive", "In use"),
    price("rate", "Units of this currency per unit of the base currency"),
    time("rateUpdated", "When the rate was read"),
)

PRICE = schema(
    "Price",
    text("currencyCode", "Currency of the prices"),
    text("cryptoCode", "Crypto; the key of the dictionary on the wire"),
    time("created", "When the list was made"),
    price("buy", "Buy price, currency per crypto"),
    price("sell", "Sell price, currency per crypto"),
    price("estimatedNetworkSlowFee", "Network fee, slow"),
    price("estimatedNetworkFastFee", "Network fee, fast"),
    time("updated", "When the price was read; older than 30 minutes is unusable in the vendor's sample"),
)

RESERVE = schema(
    "Reserve",
    text("reserveKind", "currency or crypto: the list that it stood in"),
    text("code", "Currency or crypto code"),
    text("name", "Name"),
    text("type", "Exchange, HotWallet, Coldstore or Yield"),
    text("bucketCode", "Bucket"),
    text("exchangeCode", "Exchange"),
    crypto("total", "Total"),
    crypto("locked", "Locked"),
    crypto("available", "Available"),
    crypto("unconfirmed", "Not yet confirmed on the chain"),
    time("updated", "When it was read"),
    text("blockchainCode", "Chain; crypto only"),
    text("tokenCode", "Token; crypto only"),
    text("cryptoCode", "Crypto; crypto only"),
    flag("isActive", "In use; crypto only", surface="B"),
)

BALANCE = schema(
    "CustodianBalance",
    text("code", "Crypto code"),
    text("name", "Name"),
    crypto("locked", "Locked"),
    crypto("total", "Total; negative values occur"),
    crypto("available", "Available"),
)

CUSTOMER_BALANCE = schema(
    "CustomerBalance",
    text("customerCode", "Customer that it belongs to; not on the wire, added by the provider", personal=True),
    *BALANCE.fields,
)

HOT_WALLET_BALANCE = schema(
    "HotWalletBalance",
    text("cryptoCode", "Crypto code"),
    text("cryptoName", "Name"),
    crypto("available", "Available"),
    crypto("unconfirmed", "Not yet confirmed on the chain"),
    crypto("confirmedReserve", "Confirmed reserve"),
    crypto("delayedSending", "Waiting to be sent"),
)

MUTATION = schema(
    "Mutation",
    text("type", "BUY, SELL, GIFT, DEPOSIT, WITHDRAW, FEE, CORRECTION, RECEIVEIN or SENDOUT"),
    time("created", "When it was booked"),
    text("transactionCode", "Transaction or transfer that caused it"),
    crypto("cryptoAmount", "Signed amount; exponent form occurs"),
    text("cryptoCode", "Crypto"),
    price("value", "Signed value; its currency is not stated"),
)

BROKER_BALANCE = schema(
    "BrokerBalance",
    text("balanceCurrencyCode", "Crypto; also the key of the dictionary on the wire", column="crypto_code"),
    crypto("availableBalance", "Available"),
    crypto("unconfirmedBalance", "Not yet confirmed on the chain"),
    crypto("hotConfirmedBalance", "Confirmed in the hot wallet"),
    crypto("delayedSending", "Waiting to be sent"),
    crypto("coldStoreBalance", "In cold store"),
    crypto("custodianBalance", "In custody"),
    price("nexusTickerPrice", "Ticker price"),
    time("nexusPriceUpdated", "When the ticker price was read"),
    many(
        "currencies",
        "Prices per currency",
        text("code", "Currency"),
        time("updated", "When it was read"),
        price("ask", "Ask"),
        price("bid", "Bid"),
        many("rates", "Rates", text("code", "Currency"), price("rate", "Rate"), time("updated", "When it was read")),
    ),
)
