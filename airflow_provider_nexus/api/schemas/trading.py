"""Orders, transfers, exchanges and trade pairs."""

from airflow_provider_nexus.api.schemas.field import crypto, fiat, flag, many, mapping, nested, price, schema, text, time

ORDER = schema(
    "Order",
    text("orderCode", "Code made by Nexus"),
    text("exchangeTradeCode", "Code at the exchange"),
    nested(
        "tradePair",
        "What is traded where",
        text("exchangeCode", "Exchange"),
        text("currencyCode", "Currency"),
        text("cryptoCode", "Crypto"),
    ),
    text("action", "Buy or Sell"),
    text("type", "Market or Limit"),
    text("status", "Lifecycle status"),
    fiat("amount", "Amount ordered, in the currency"),
    price("limitPrice", "Limit, currency per crypto"),
    time("created", "When it was placed"),
    time("finished", "When it ended; set for failures too"),
    time("originalValidTill", "Until when it was valid; can be later than finished"),
    nested(
        "executed",
        "What was filled",
        crypto("amount", "Crypto filled"),
        price("price", "Average price"),
        fiat("value", "Value filled"),
        fiat("fee", "Fee of the exchange"),
        flag("partial", "Filled in part only"),
    ),
    text("reason", "Why it failed, in the exchange's words", surface="B"),
    mapping("data", "Free key and value data", surface="B"),
)

TRANSFER = schema(
    "Transfer",
    text("transferCode", "Code made by Nexus"),
    text("type", "DEPOSIT, WITHDRAW or CORRECTION"),
    text("status", "Lifecycle status"),
    crypto("amount", "Amount moved"),
    time("created", "When it was made"),
    time("finished", "When it ended; set for failures too"),
    text("exchangeTransferCode", "Code at the exchange"),
    price("price", "Reference price"),
    text("txId", "Transaction on the chain; any text, may be all digits"),
    text("userName", "Who asked for it", personal=True),
    text("comment", "Comment"),
    text("cryptoCode", "Crypto"),
    nested(
        "address",
        "From where to where",
        text("sourceType", "Exchange, HotWallet, Coldstore or Other"),
        text("sinkType", "Exchange, HotWallet, Coldstore or Other"),
        text("address", "Address on the chain"),
        text("sinkExchangeCode", "Receiving exchange"),
        text("sourceExchangeCode", "Sending exchange"),
    ),
)

EXCHANGE = schema(
    "Exchange",
    text("code", "Code of the exchange"),
    text("name", "Name"),
    time("priceUpdated", "When its prices were last read"),
    time("reserveUpdated", "When its reserves were last read"),
)

_NAMED = (text("code", "Code"), text("name", "Name"))

TRADE_PAIR = schema(
    "TradePair",
    text("code", "Code of the pair"),
    nested("exchange", "Exchange", *_NAMED),
    nested("currency", "Currency", *_NAMED),
    nested("crypto", "Crypto", *_NAMED),
    nested("price", "Latest price", price("bid", "Bid"), price("ask", "Ask"), time("updated", "When it was read")),
    many("supports", "Order types that the pair supports"),
    nested(
        "status",
        "What is switched on",
        flag("tradeable", "Can be traded now"),
        flag("enabled", "Switched on by the tenant"),
        flag("systemEnabled", "Switched on by Nexus"),
        flag("updated", "Declared as a flag, of no stated meaning; may be when it last changed", also=("time",)),
        flag("exchangeSystemEnabled", "Exchange switched on by Nexus"),
        flag("exchangeEnabled", "Exchange switched on by the tenant"),
    ),
)
