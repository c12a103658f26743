"""Transactions of both API generations, their totals and callbacks."""

from __future__ import annotations

from airflow_provider_nexus.api.schemas.field import (
    Field,
    Schema,
    crypto,
    fiat,
    flag,
    integer,
    many,
    mapping,
    nested,
    price,
    text,
    time,
)

BROKER_TRANSACTION = Schema(
    "BrokerTransaction",
    (
        text("transactionCode", "Code made by Nexus: 2 letters, 14 digits (a time stamp), 1 letter, 2 alphanumerics"),
        text("transactionType", "BUY, SELL, GIFT, MERCHANT"),
        text("type", "Same value as transactionType"),
        text("status", "Lifecycle status, in mixed case"),
        text("portfolioCode", "Portfolio"),
        text("customerCode", "Customer", personal=True),
        text("accountCode", "Account"),
        text("cryptoCurrencyCode", "Crypto", column="crypto_code"),
        text("currencyCode", "Currency"),
        text("paymentMethodCode", "Payment method"),
        text("enchangeCode", "Exchange; misspelt on the wire", column="exchange_code"),
        text("exchangeOrderCode", "Order at the exchange"),
        text("cryptoSendTxId", "Chain transaction that sent crypto; any text, may be all digits"),
        text("cryptoReceiveTxId", "Chain transaction that received crypto; any text, may be all digits"),
        time("created", "When it was made"),
        time("notified", "When Nexus saw the payment"),
        time("traded", "When it was traded"),
        time("confirmed", "When it was confirmed"),
        time("finished", "When it ended"),
        crypto("cryptoAmount", "Amount of crypto"),
        crypto("cryptoExpectedAmount", "Amount of crypto expected"),
        crypto("cryptoSent", "Amount of crypto sent"),
        crypto("cryptoTraded", "Amount of crypto traded"),
        price("cryptoEstimatePrice", "Estimated price, currency per crypto"),
        price("cryptoTradePrice", "Price traded at, currency per crypto"),
        price("cryptoPrice", "Price, currency per crypto"),
        fiat("tradeValue", "Value traded"),
        fiat("bankCommission", "Bank fee"),
        fiat("partnerCommission", "Partner fee"),
        fiat("networkCommission", "Network fee"),
        fiat("payout", "Amount paid out"),
        text("comment", "Why it is blocked or on hold"),
        text("payComment", "Comment on the payment"),
        text("bankTransferReference", "Reference on the bank transfer", personal=True),
        flag("isSettled", "Settled with the bank"),
    ),
)

TRANSACTION_TOTALS = Schema(
    "TransactionTotals",
    (
        text("status", "Status, in upper case here"),
        text("currencyCode", "Currency"),
        integer("transactionCount", "Number of transactions"),
        fiat("payoutValue", "Sum of payout"),
        fiat("tradeValue", "Sum of tradeValue"),
        fiat("bankCommission", "Sum of bankCommission"),
        fiat("partnerCommission", "Sum of partnerCommission"),
        fiat("networkCommission", "Sum of networkCommission"),
    ),
)


def _amounts(name: str, meaning: str) -> Field:
    return nested(
        name,
        meaning,
        crypto("cryptoAmount", "Amount of crypto"),
        fiat("fiatValue", "Value in the currency"),
        price("cryptoPrice", "Price, currency per crypto"),
    )


TRANSACTION = Schema(
    "CustodianTransaction",
    (
        text("transactionCode", "Code made by Nexus"),
        text("linkedTransactionCode", "The twin of a send-internal or swap"),
        text("customerCode", "Customer", personal=True),
        text("accountCode", "Account"),
        text(
            "type",
            "BUY, SELL, SENDINTERNAL, SENDOUT, SWAP, RECEIVEIN, GIFT, SENDTOBUCKET, INTEREST, CLAWBACK, BROKERBUY, BROKERSELL",
        ),
        text("direction", "SOURCE or DESTINATION"),
        text("status", "Lifecycle status, in mixed case"),
        text("cryptoCode", "Crypto"),
        text("currencyCode", "Currency"),
        text("paymentMethodCode", "Payment method"),
        text("paymentReference", "Reference given by the client", surface="B"),
        text("callbackUrl", "Where status changes are sent"),
        text("destinationCryptoAddress", "Address that crypto is sent to", personal=True),
        text("blockchainMessage", "Memo on the chain"),
        text("blockchainTransactionId", "Transaction on the chain; any text, may be all digits"),
        time("created", "When it was made; no updated or finished time exists"),
        _amounts("requestedAmounts", "What was asked for"),
        _amounts("executedAmounts", "What was done"),
        nested(
            "fees",
            "Fees",
            fiat("partnerFeeFiat", "Partner fee"),
            fiat("bankFeeFiat", "Bank fee"),
            fiat("networkFeeFiat", "Network fee charged"),
            crypto("networkFeeCrypto", "Network fee charged"),
            fiat("actualNetworkFeeFiat", "Network fee paid"),
            crypto("actualNetworkFeeCrypto", "Network fee paid"),
            crypto("partnerFeeCrypto", "Partner fee", surface="B"),
            crypto("bankFeeCrypto", "Bank fee", surface="B"),
        ),
        nested(
            "balanceMutation",
            "Signed change of the customer's balance",
            crypto("crypto", "Change in crypto"),
            fiat("fiat", "Change in the currency"),
        ),
        crypto("swapMarginAmountCrypto", "Margin of a swap"),
        mapping("data", "Free key and value data; single and create responses only"),
        many(
            "comments",
            "Comments; single responses only",
            text("author", "Who wrote it", personal=True),
            text("text", "What was written; free text", personal=True),
            time("created", "When it was written"),
            surface="B",
        ),
        fiat("fiatAmountToPay", "What the customer has to pay; buy responses only", surface="B"),
        fiat("baseFiatAmountToPay", "The same in the base currency; buy responses only", surface="B"),
    ),
)

_CALLBACK_BLOCKS = (
    nested(
        "buy",
        "Broker buy",
        text("sendCryptoTxId", "Chain transaction"),
        crypto("cryptoCurrencyAmount", "Crypto"),
        fiat("currencyAmount", "Value"),
    ),
    nested("sell", "Broker sell", text("receiveCryptoTxId", "Chain transaction"), text("blockchainMessage", "Memo")),
    nested("sendout", "Send out", text("txId", "Chain transaction")),
    nested(
        "receiveIn",
        "Receive in",
        text("txId", "Chain transaction"),
        crypto("receivedCryptoAmount", "Crypto"),
        fiat("receivedFiatValue", "Value"),
    ),
    nested(
        "brokerBuy",
        "Broker buy on B",
        crypto("cryptoAmount", "Crypto"),
        text("destinationAddress", "Address that crypto was sent to", personal=True),
        text("txId", "Chain transaction"),
        surface="B",
    ),
    nested(
        "brokerSell",
        "Broker sell on B",
        text("blockchainMessage", "Memo"),
        text("receiveAddress", "Address that crypto was received at"),
        crypto("receivedCryptoAmount", "Crypto"),
        fiat("receivedFiatValue", "Value"),
        text("txId", "Chain transaction"),
        surface="B",
    ),
    nested(
        "merchant",
        "Merchant payment",
        fiat("currencyAmount", "Value"),
        text("receiveCryptoTxId", "Chain transaction"),
        text("cryptoPaymentAddress", "Address to pay to"),
        text("cryptoPaymentUri", "URI to pay with"),
        text("paymentReference", "Reference"),
        crypto("expectedCryptoAmount", "Crypto expected"),
        crypto("receivedCryptoAmount", "Crypto received"),
        text("merchantCustomerEmailAddress", "Payer", personal=True),
        text("blockchainMessage", "Memo"),
    ),
)

CALLBACK = Schema(
    "Callback",
    (
        nested(
            "notification",
            "What was sent; one block per type, the unused ones null",
            text("status", "Status of the transaction"),
            text("type", "Type of the transaction"),
            text("customerReference", "Reference of the customer", personal=True),
            text("accountCode", "Account"),
            text("transactionCode", "Transaction"),
            text("currencyCode", "Currency"),
            text("cryptoCurrencyCode", "Crypto"),
            text("paymentMethodCode", "Payment method"),
            time("created", "When the transaction was made"),
            time("validUntil", "Until when it can be paid"),
            nested("confirmations", "On the chain", integer("count", "Seen"), integer("required", "Needed")),
            *_CALLBACK_BLOCKS,
        ),
        text("labelPartnerCode", "Tenant"),
        text("transactionCode", "Transaction"),
        text("url", "Where it was sent"),
        text("response", "What the receiver answered", surface="A"),
        flag("isSuccess", "Whether it was taken"),
        time("finished", "When the last attempt ended"),
        time("inserted", "When it was queued"),
        integer("dequeueCount", "Attempts so far"),
    ),
)

_END = (text("address", "Address on the chain", personal=True), crypto("amount", "Amount"))

FLOW = Schema(
    "TransactionFlow",
    (
        text("transactionCode", "Transaction"),
        text("transactionHash", "Transaction on the chain; any text"),
        many("senders", "Who sent", *_END),
        many("receivers", "Who received", *_END),
        text("token", "What was sent: name, contract address or asset id"),
    ),
)
