"""Schemas of the configuration of a tenant: itself, trust levels, portfolios, buckets, payment methods."""

from __future__ import annotations

from airflow_provider_nexus.api.schemas.field import Field, flag, mapping, nested, price, ratio, schema, text, time

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
    "Portfolio",
    text("code", "Code"),
    text("name", "Name"),
    flag("mailsEnabled", "Mails are made for its customers"),
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
