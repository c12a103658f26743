"""The shapes of answers as the documents of the API declare them, written out by hand and not taken from the catalogue.

A member is ``name:kind``: text (left out), ``m`` an amount, ``i`` a whole number, ``b`` a flag, ``t`` a time, ``d`` a
dictionary of texts, ``l`` a list of texts, or the name of a shape, ``[Name]`` for a list of it and ``{Name}`` for an object
that is keyed. All may be null but flags and whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

SHAPES = {
    "Accounts3": "accountCode accountStatus",
    "Account": "guid accountCode customerCode created:t activated:t dcReceiveAddress customerCryptoAddress dcCode accountStatus"
    " accountType bucketCode provider:Provider",
    "Provider": "type name",
    "Amounts": "cryptoAmount:m fiatValue:m cryptoPrice:m",
    "Bank": "id name country bicCode city",
    "BankAccount": "id number name customerCode currencyCode bank:Bank isPrimary:b created:t createdBy updated:t updatedBy",
    "BrokerBalance": "balanceCurrencyCode availableBalance:m unconfirmedBalance:m hotConfirmedBalance:m delayedSending:m"
    " coldStoreBalance:m custodianBalance:m nexusTickerPrice:m nexusPriceUpdated:t currencies:[Rates]",
    "Rates": "code updated:t ask:m bid:m rates:[Rate]",
    "Rate": "code rate:m updated:t",
    "BrokerBuy": "transactionCode created:t paymentMethodInfo:MethodInfo accountCode customerCode networkFee:m serviceFee:m"
    " bankFee:m comment status blockchainMessage",
    "MethodInfo": "transactionFixedInMinutes:i paymentMethodCode paymentMethodName",
    "BrokerBuySimulation": "cryptoBuyPriceBeforeFee:m cryptoBuyPriceAfterServiceFee:m cryptoAmount:m currencyBankFee:m"
    " currencyServiceFee:m currencyNetworkFee:m totalCurrency:m totalCurrencyToPay:m currencyCode cryptoCode",
    "BrokerSell": "accountCode transactionCode customerCode cryptoAddress currencyCode valueInFiatBeforeFees:m"
    " valueInFiatAfterFees:m networkFee:m serviceFee:m bankFee:m",
    "BrokerSellSimulation": "valueInFiatBeforeFees:m valueInFiatAfterFees:m bankFee:m serviceFee:m networkFee:m",
    "BrokerLimit": "limitParameters:LimitParameters limitReasons:l remaining:Limits total:Limits",
    "LimitParameters": "currencyCode paymentMethodCode cryptoCode",
    "Limits": "dailyLimit:m monthlyLimit:m yearlyLimit:m lifetimeLimit:m",
    "BrokerTransaction": "transactionCode transactionType type status portfolioCode customerCode accountCode cryptoCurrencyCode"
    " currencyCode paymentMethodCode enchangeCode exchangeOrderCode cryptoSendTxId cryptoReceiveTxId created:t notified:t"
    " traded:t confirmed:t finished:t cryptoAmount:m cryptoExpectedAmount:m cryptoSent:m cryptoTraded:m cryptoEstimatePrice:m"
    " cryptoTradePrice:m cryptoPrice:m tradeValue:m bankCommission:m partnerCommission:m networkCommission:m payout:m comment"
    " payComment bankTransferReference isSettled:b",
    "Bucket": "code name customerCode created:t updated:t",
    "Callback": "notification:x labelPartnerCode transactionCode url response isSuccess:b finished:t inserted:t dequeueCount:i",
    "ChartSeries": "color visible:b name type lineWidth:i fillOpacity:m step marker:Marker data:x",
    "Marker": "enabled:b radius:i",
    "Comment": "guid author text created:t updated:t",
    "ComplianceHistory": "customerCode created:t status trustlevel currencyCode isBusiness:b riskQualification latestReview:t"
    " isReviewRecommended:b reason initiatedBy",
    "Country": "code description status",
    "CryptoAddress": "created:t createdBy status:l sink:x source:x cryptoCode address addressReference comment"
    " exchangeWalletCode",
    "CryptoCurrency": "code name isActive:b isEnabled:b blockchain:Blockchain hotWalletReceiveFlow transactionLimits:x",
    "Blockchain": "name addressExplorerURL transactionExplorerURL",
    "Currencies": "baseCurrency:Named currencies:[Currency]",
    "Named": "name code",
    "Currency": "name code isActive:b rate:m rateUpdated:t",
    "Balances": "cryptoBalances:[CustodianBalance]",
    "CustodianBalance": "code name locked:m total:m available:m",
    "CustodianTransaction": "transactionCode linkedTransactionCode customerCode accountCode type direction status cryptoCode"
    " currencyCode paymentMethodCode paymentReference callbackUrl destinationCryptoAddress blockchainMessage"
    " blockchainTransactionId created:t requestedAmounts:Amounts executedAmounts:Amounts fees:Fees balanceMutation:Mutated"
    " swapMarginAmountCrypto:m",
    "Fees": "partnerFeeFiat:m bankFeeFiat:m networkFeeFiat:m networkFeeCrypto:m actualNetworkFeeFiat:m actualNetworkFeeCrypto:m"
    " partnerFeeCrypto:m bankFeeCrypto:m",
    "Mutated": "crypto:m fiat:m",
    "Customer": "customerCode email countryCode currencyCode created:t status trustlevel portFolioCode isBusiness:b bankAccount"
    " bankAccountName identifiedBankAccountName isHighRisk:b hasPhotoId:b riskQualification comment data:d name firstName"
    " lastName dateOfBirth phone companyName address city zipCode state tag externalCustomerCode firstTransaction:t"
    " latestTransaction:t latestReview:t isReviewRecommended:b latestComplianceHistoryReason",
    "CustomerData": "key value created:t createdBy updated:t updatedBy",
    "DataTemplate": "code name description type entityType",
    "DeletedCustomer": "customerCode customerStatus accounts:[Accounts3]",
    "DocumentRecord": "fileName filePath documentStoreType:StoreType alias description customerCode itemReference state"
    " fileSizeInMB createdOn:t updatedOn:t",
    "StoreType": "Code Name OtherDescription",
    "DocumentType": "name code description createdOn:t updatedOn:t",
    "StoreSettings": "name description documentStoreType shareName maxFileSizeInMB:i maxFileCount:i",
    "Exchange": "code name priceUpdated:t reserveUpdated:t",
    "CustomerFee": "customerCode value:m",
    "TagFee": "customerTag value:m",
    "Flow": "transactionCode transactionHash senders:[FlowEnd] receivers:[FlowEnd] token",
    "FlowEnd": "address amount:m",
    "Historic": "cryptoCode currencyCode priceData:[PricePoint]",
    "PricePoint": "buy:m sell:m mid:m timestamp:t",
    "HotWalletBalance": "cryptoCode cryptoName available:m unconfirmed:m confirmedReserve:m delayedSending:m",
    "Interval": "id number:i from:t to:t subIntervals:[SubInterval]",
    "SubInterval": "id number:i from:t to:t adjustedRate:m",
    "LabelPartner": "labelPartnerCode baseCurrencyCode businessModel features:x maximumAllowedYieldDeviationValue:m",
    "Mail": "code created:t sent:t status type references:References content:Content recipient:Recipient count:i",
    "References": "accountCode customerCode transactionCode",
    "Content": "subject html text",
    "Recipient": "email cc bcc",
    "Mutation": "type created:t transactionCode cryptoAmount:m cryptoCode value:m",
    "Order": "orderCode exchangeTradeCode tradePair:Pair action type status amount:m limitPrice:m created:t finished:t"
    " originalValidTill:t executed:Executed reason data:d",
    "Pair": "exchangeCode currencyCode cryptoCode",
    "Executed": "amount:m price:m value:m fee:m partial:b",
    "PaymentMethod": "code name cryptoCode currencyCode fees:MethodFees paymentType:PaymentType transactionType",
    "MethodFees": "bank:BankFee service:ServiceFee",
    "BankFee": "fixed:m relative:m",
    "ServiceFee": "relative:m",
    "PaymentType": "code description name",
    "PaymentRequest": "transaction:Created paymentUri",
    "Person": "id customerCode firstName lastName types:l dateOfBirth nationality:Named residenceCountry:Named"
    " ownershipPercentage:m createdOn:t createdBy updatedOn:t updatedBy",
    "PersonalData": "customerCode firstName lastName dateOfBirth phone companyName address city state countryName",
    "Portfolio": "code name mailsEnabled:b",
    "Prices": "created:t currencyCode prices:{Price}",
    "Price": "buy:m sell:m estimatedNetworkSlowFee:m estimatedNetworkFastFee:m updated:t",
    "Reserves": "currencyReserves:[CurrencyReserve] cryptoReserves:[CryptoReserve]",
    "CurrencyReserve": "code name type bucketCode exchangeCode total:m locked:m available:m unconfirmed:m updated:t",
    "CryptoReserve": "code blockchainCode tokenCode cryptoCode name type bucketCode exchangeCode total:m locked:m available:m"
    " unconfirmed:m updated:t isActive:b",
    "Schedule": "id cryptoCode currencyCode bucketCode paymentMethodCode defaultRate:m startDate:t payoutPeriod:x"
    " subIntervalPeriod:x",
    "SanctionList": "code name",
    "Search": "listResults:{x}",
    "Totals": "filteringParameters:d totals:[Total]",
    "Total": "status currencyCode transactionCount:i payoutValue:m tradeValue:m bankCommission:m partnerCommission:m"
    " networkCommission:m",
    "Trace": "ip created:t action entityType geoLocation:Geo",
    "Geo": "countryCode countryName isp",
    "TraceSummary": "ip countryCode countryName isp count:i",
    "TradePairs": "tradePairs:[TradePair]",
    "TradePair": "code exchange:Named currency:Named crypto:Named price:BidAsk supports:l status:PairStatus",
    "BidAsk": "bid:m ask:m updated:t",
    "PairStatus": "tradeable:b enabled:b systemEnabled:b updated:b exchangeSystemEnabled:b exchangeEnabled:b",
    "Transacted": "transaction:Created",
    "Twins": "sourceTransaction:Created destinationTransaction:Created",
    "Transfer": "transferCode type status amount:m created:t finished:t exchangeTransferCode price:m txId userName comment"
    " cryptoCode address:TransferAddress",
    "TransferAddress": "sourceType sinkType address sinkExchangeCode sourceExchangeCode",
    "TrustLevel": "name description isActive:b requireExecutedSellDoesNotExceedLifetimeBuy:b buyLimits:TrustLimits"
    " sellLimits:TrustLimits overallLimits:Overall flags:x",
    "TrustLimits": "dailyLimit:m monthlyLimit:m yearLimit:m lifetimeLimit:m",
    "Overall": "custodianLimit:m",
    "Upload": "code name version status created:t deletedOn:t userName nameCount:i aliasCount:i",
    "ValidatedEntry": "sanctionListCode referenceCode environmentCode userName created:t deleted:t allowedUpToNameId:i"
    " allowedUpToAliasId:i",
}
SHAPES["Single"] = f"{SHAPES['CustodianTransaction']} data:d comments:x"
SHAPES["Created"] = f"{SHAPES['Single']} fiatAmountToPay:m? baseFiatAmountToPay:m?"
SHAPES["CreatedCustomer"] = f"{SHAPES['Customer']} accounts:[Account]"
SHAPES["WithIntervals"] = f"{SHAPES['Schedule']} intervals:[Interval]"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_KINDS: dict[str, Callable[[Any], bool]] = {
    "": lambda value: isinstance(value, str),
    "m": lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool),
    "i": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "b": lambda value: isinstance(value, bool),
    "t": lambda value: isinstance(value, str) and (value == "" or _TIME.fullmatch(value) is not None),
    "d": lambda value: isinstance(value, dict) and all(isinstance(each, str) for each in value.values()),
    "l": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "x": lambda value: True,
}


def misfit(kind: str, value: Any, where: str) -> list[str]:
    """What of a value is not as declared, one text each."""
    if kind.startswith("["):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [text for place, each in enumerate(value) for text in misfit(kind[1:-1], each, f"{where}[{place}]")]
    if kind.startswith("{"):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        return [text for name, each in value.items() for text in misfit(kind[1:-1], each, f"{where}.{name}")]
    if kind in _KINDS:
        return [] if _KINDS[kind](value) else [f"{where} is {value!r}, no {kind or 'text'}"]
    if not isinstance(value, dict):
        return [f"{where} is {value!r}, no {kind}"]
    return _of_object(kind, value, where)


def _of_object(name: str, value: dict[str, Any], where: str) -> list[str]:
    declared = dict(member.partition(":")[::2] for member in SHAPES[name].split())
    problems = [f"{where} has {extra}, which is not declared" for extra in value.keys() - declared.keys()]
    for member, kind in declared.items():
        if member not in value:
            problems += [] if kind.endswith("?") else [f"{where} has no {member}"]
        elif value[member] is not None or kind in ("b", "i"):
            problems += misfit(kind.rstrip("?"), value[member], f"{where}.{member}")
    return problems
