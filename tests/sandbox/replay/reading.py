"""The reading calls of the API's clients, as they send them: who sends it, method and path, and the shape of its answer.

``sdk`` is the .NET client, ``sample`` the vendor's broker shop, ``casp`` the generated client. Words in braces are codes of the
sandbox. The shape is that of ``values``; ``paged`` is a page of it, ``bare`` stands without an envelope.
"""

from __future__ import annotations

Sent = tuple[str, str, str]

_CREATED = "CreatedStartDate=2026-02-01T00%3A00%3A00Z&CreatedEndDate=2026-03-01T00%3A00%3A00Z"
_UPDATED = "UpdatedStartDate=2026-01-01&UpdatedEndDate=2026-03-02"
_SPAN = "startDate=2026-02-01T00%3A00%3A00Z&endDate=2026-03-01T00%3A00%3A00Z"
_FROM = "createdFrom=2026-02-01T00%3A00%3A00.0000000Z&createdTill=2026-03-01T00%3A00%3A00.0000000%2B00%3A00"
_PAGE = "page=1&limit=5"
_SORT = "sortBy={}&sortDirection=Desc"

READING: tuple[Sent, ...] = (
    ("sdk", "GET /customer?", "paged Customer"),
    ("sdk", f"GET /customer?{_SPAN}&status=Active&email=&page=1", "paged Customer"),
    ("sample", "GET /customer?status=NEW|ACTIVE&page=1", "paged Customer"),
    (
        "casp",
        "GET /customer?BankAccount=&Email=&ExternalCustomerCode=&IsReviewRecommended=false&Portfolio=PRIVATE"
        f"&RiskQualification=Low&Status=New%7CActive&TrustLevel=Trusted&Page=1&Limit=5&{_SORT.format('Created')}",
        "paged Customer",
    ),
    ("casp", "GET /customer?LatestReviewStartDate=2026-02-01&LatestReviewEndDate=2026-03-01", "paged Customer"),
    ("casp", "GET /customer?LatestTransactionStartDate=2026-02-01&LatestTransactionEndDate=2026-03-01", "paged Customer"),
    ("sdk", "GET /customer/{customer}", "Customer"),
    ("casp", "GET /Customer/{customer}", "Customer"),
    ("sdk", "GET /customer/{customer}/trace?startDate=2026-02-01T00:00:00Z", "paged Trace"),
    ("sdk", "GET /customer/{customer}/trace?startDate=", "paged Trace"),
    ("sdk", "GET /customer/{customer}/trace/summary?startDate=2026-02-01T00:00:00Z", "[TraceSummary]"),
    ("casp", "GET /customer/{customer}/personalData", "PersonalData"),
    ("casp", "GET /customer/{customer}/data", "[CustomerData]"),
    ("casp", f"GET /customer/{{customer}}/complianceHistory?{_SPAN}&{_PAGE}", "paged ComplianceHistory"),
    ("casp", f"GET /customer/{{customer}}/comments?{_PAGE}", "paged Comment"),
    ("casp", f"GET /customer/{{customer}}/comments/{{comment}}/history?{_PAGE}", "paged Comment"),
    ("sample", "GET /customer/{customer}/limits/broker/buy?paymentMethodCode=BUY_IDEAL&currencyCode=EUR", "BrokerLimit"),
    (
        "casp",
        "GET /customer/{customer}/limits/broker/buy?paymentMethodCode=BUY_IDEAL&cryptoCode=BTC&currencyCode=EUR",
        "BrokerLimit",
    ),
    ("sample", "GET /customer/{customer}/limits/broker/sell?cryptoCode=BTC", "BrokerLimit"),
    ("casp", "GET /customer/{customer}/limits/broker/sell?paymentMethodCode=SELL_SEPA&cryptoCode=BTC", "BrokerLimit"),
    (
        "casp",
        f"GET /accounts?customerCode={{customer}}&cryptoCode=&bucketCode=&customerCryptoAddress=&depositAddress=&status=Active"
        f"&{_SPAN}&{_PAGE}&{_SORT.format('accountStatus')}",
        "paged Account",
    ),
    ("sample", "GET /accounts/{account}", "Account"),
    ("sample", "GET /customer/{customer}/accounts", "paged Account"),
    ("casp", f"GET /customer/{{customer}}/accounts?status=New%7CActive&{_PAGE}&{_SORT.format('created')}", "paged Account"),
    ("casp", "GET /customer/{customer}/accounts/{account}", "Account"),
    ("sdk", "GET /customer/{business}/person?", "paged Person"),
    (
        "casp",
        f"GET /customer/{{business}}/person?Id=&{_CREATED}&{_UPDATED}&Page=1&Limit=5&SortBy=CreatedOn&SortDirection=Asc",
        "paged Person",
    ),
    ("sdk", "GET /customer/{customer}/bankaccounts?", "paged BankAccount"),
    (
        "casp",
        f"GET /customer/{{customer}}/bankAccounts?Number=&CurrencyCode=EUR&IsPrimary=true&{_CREATED}&Page=1&Limit=5"
        "&SortBy=Number&SortDirection=Asc",
        "paged BankAccount",
    ),
    ("casp", f"GET /customer/{{customer}}/bankaccounts?Id=&BankId=&{_UPDATED}", "paged BankAccount"),
    ("casp", "GET /banks?BankId=&BicCode=INGBNL2A&City=&CountryCode=NL&IbanCode=&IssuerId=&Name=", "[Bank]"),
    ("casp", "GET /banks/{bank}", "Bank"),
    ("sdk", f"GET /transaction?{_SPAN}&status=BuyCompleted|SellCompleted&page=1&limit=5", "paged BrokerTransaction"),
    ("sample", "GET /transaction?customer={customer}&type=Buy&page=1&limit=100", "paged BrokerTransaction"),
    (
        "sdk",
        "GET /transaction?customerStatus=ACTIVE&customerTrustlevel=Trusted&customerIsHighrisk=False&customerIsBusiness=False"
        "&isSettled=True",
        "paged BrokerTransaction",
    ),
    ("sample", "GET /transaction/{broker}", "BrokerTransaction"),
    ("sdk", f"GET /transaction/totals?{_SPAN}", "Totals"),
    ("sdk", "GET /transaction/{broker}/callbacks?page=1&limit=5", "paged Callback"),
    ("casp", "GET /transaction/{transaction}/flows", "Flow"),
    (
        "casp",
        "GET /transactions/custodian?AccountCode=&BlockchainTxId=&CryptoCode=BTC&CurrencyCode=EUR&CustomerCode=&Direction=SOURCE"
        f"&DestinationCryptoAddress=&LinkedTransactionCode=&TransactionCode=&PaymentMethodCode=&PaymentReference=&{_FROM}",
        "paged CustodianTransaction",
    ),
    (
        "casp",
        f"GET /transactions/custodian?Status=COMPLETED%7CInitiated&Type=BUY%7CBROKERBUY&Page=1&Limit=5&{_SORT.format('Created')}",
        "paged CustodianTransaction",
    ),
    ("sdk", "GET /transactions/custodian/{transaction}", "Single"),
    ("casp", "GET /transactions/custodian/{transaction}/callbacks?Page=1&Limit=5", "paged Callback"),
    ("sdk", "GET /currencies", "Currencies"),
    ("sdk", "GET /prices/eur", "Prices"),
    ("casp", "GET /prices/EUR/BTC", "Prices"),
    ("casp", "GET /prices/EUR/BTC/historic?hours=2", "Historic"),
    ("sdk 1.0", "GET /api/MinuteChart/GetDefault/30?currency=EUR&dcCode=BTC", "bare [ChartSeries]"),
    ("sdk", "GET /reserves?reservesTimeStamp=", "Reserves"),
    ("casp", "GET /reserves?reservesTimeStamp=2026-02-20T00%3A00%3A00Z", "Reserves"),
    ("sdk", "GET /balances", "Balances"),
    ("casp", "GET /balances?balanceDateTime=2026-02-20T00%3A00%3A00Z", "Balances"),
    ("casp", "GET /balances/customers/{customer}?balanceDateTime=", "Balances"),
    ("casp", "GET /balances/hotwallet", "bare [HotWalletBalance]"),
    ("casp", "GET /balances/hotwallet/BTC", "bare HotWalletBalance"),
    (
        "sdk",
        "GET /balances/hotwallet/mutations?startTime=2026-02-01T00:00:00Z&endTime=2026-03-01T00:00:00Z&type=BUY|SELL"
        f"&cryptoCode=BTC&transactionCode=&{_PAGE}&{_SORT.format('created')}",
        "paged Mutation",
    ),
    ("sdk 1.1", "GET /labelpartner/balance", "bare {BrokerBalance}"),
    (
        "sdk",
        f"GET /orders?{_FROM}&finishedFrom=&finishedTill=&status=Filled|Open&exchangeCode=KRAKEN&cryptoCode=BTC&currencyCode=EUR"
        f"&orderType=Limit&actionType=Buy&amountFrom=1&amountTo=100000&isPartial=false&{_PAGE}&{_SORT.format('created')}",
        "paged Order",
    ),
    ("sdk", "GET /orders?orderCode={order}", "paged Order"),
    ("casp", "GET /orders/{order}", "Order"),
    (
        "sdk",
        f"GET /transfers?{_FROM}&status=COMPLETED&sourceType=HotWallet&sinkType=Exchange&sourceExchangeCode=&sinkExchangeCode="
        f"&{_PAGE}&{_SORT.format('amount')}",
        "paged Transfer",
    ),
    ("sdk", "GET /transfers?finishedFrom=2026-02-01&finishedTill=2026-03-01", "paged Transfer"),
    ("casp", "GET /exchanges", "Exchange"),
    ("casp", "GET /TradePairs", "TradePairs"),
    ("casp", "GET /TradePairs/KRAKEN", "TradePairs"),
    (
        "casp",
        f"GET /cryptoaddress?address=&cryptoCode=BTC&status=Active&sinkType=Exchange&sourceType=&{_PAGE}",
        "paged CryptoAddress",
    ),
    ("sdk", "GET /labelpartner", "LabelPartner"),
    ("sdk", f"GET /labelpartner/trustlevels?name=&{_PAGE}&{_SORT.format('name')}", "paged TrustLevel"),
    ("casp", f"GET /LabelPartner/countries?{_PAGE}", "paged Country"),
    ("casp", f"GET /LabelPartner/cryptoCurrencies?cryptoCode=&{_PAGE}&sortDirection=Asc", "paged CryptoCurrency"),
    ("casp", f"GET /LabelPartner/datatemplates?name=&{_PAGE}&{_SORT.format('code')}", "paged DataTemplate"),
    ("sdk", "GET /portfolios", "[Portfolio]"),
    ("casp", "GET /portfolios/PRIVATE", "Portfolio"),
    ("casp", f"GET /buckets?customerCode=&{_PAGE}", "paged Bucket"),
    ("casp", "GET /buckets/BUCKET0000", "Bucket"),
    ("sample", "GET /paymentmethod?transactionType=BUY&currency=EUR", "paged PaymentMethod"),
    (
        "casp",
        f"GET /paymentmethod?Code=&Crypto=BTC&TransactionType=BUY%7CSELL&Page=1&Limit=5&{_SORT.format('Code')}",
        "paged PaymentMethod",
    ),
    ("casp", "GET /paymentmethod/BUY_IDEAL", "PaymentMethod"),
    ("casp", "GET /paymentmethod/BUY_IDEAL/fees/customer?CustomerCode=&Limit=5&Page=1&SortDirection=Asc", "paged CustomerFee"),
    ("casp", "GET /paymentmethod/BUY_IDEAL/fees/tag?CustomerTag=&Limit=5&Page=1&SortDirection=Asc", "paged TagFee"),
    ("sdk", "GET /mail?", "paged Mail"),
    (
        "sample",
        f"GET /mail?status=ReadyToSend&type=NewAccountRequested|TransactionBuyFinish&{_SPAN}&page=1&limit=100",
        "paged Mail",
    ),
    ("casp", f"GET /mail?accountCode=&customerCode=&transactionCode=&{_PAGE}&{_SORT.format('Created')}", "paged Mail"),
    ("sample", "GET /mail/{mail}", "Mail"),
    ("sdk", "GET /integrations/documentstore", "StoreSettings"),
    ("sdk", "GET /integrations/documentstore/list?customerCode={documented}", "paged DocumentRecord"),
    (
        "casp",
        "GET /integrations/documentstore/list?CustomerCode={documented}&Page=1&Limit=10&SortBy=CreatedDate&SortDirection=Desc",
        "paged DocumentRecord",
    ),
    ("sdk", "GET /integrations/documentstore/file?filePath={file}", "bytes"),
    ("sdk", "GET /integrations/documentstore/type", "paged DocumentType"),
    (
        "casp",
        "GET /integrations/documentstore/type?Code=&Name=&Page=1&Limit=5&SortBy=Code&SortDirection=Asc",
        "paged DocumentType",
    ),
    ("sdk", "GET /integrations/documentstore/type/ID", "DocumentType"),
    ("casp", "GET /sanction/lists", "[SanctionList]"),
    ("casp", "GET /sanction/lists/uploads?ExcludeLatest=true", "[Upload]"),
    ("casp", "GET /sanction/lists/uploads/latest", "[Upload]"),
    ("casp", f"GET /interest/custodian/schedules?{_PAGE}", "paged WithIntervals"),
    ("casp", "GET /interest/custodian/schedules/{planned}", "WithIntervals"),
    ("casp", "GET /interest/custodian/intervals/{interval}", "Interval"),
    ("casp", "GET /interest/custodian/subintervals/{part}", "SubInterval"),
)
