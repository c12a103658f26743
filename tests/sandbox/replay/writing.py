"""The writing calls of the API's clients, as they send them: see ``reading``; the last member is the body.

The .NET client sends names in PascalCase and nulls; the generated client sends camelCase.
"""

from __future__ import annotations

from typing import Any

Sent = tuple[str, str, str, Any]

_CUSTODIAN = {"customerCode": "{customer}", "cryptoCode": "{crypto}", "currencyCode": "EUR"}
_REFERENCES = {"paymentReference": "R-1", "data": {"a": "b"}}
_OPTIONS = {**_REFERENCES, "accountCode": None, "requestedPrice": None}
_CALLED = {"callbackUrl": "https://a.example.org", "blockchainMessage": "m"}
_BUY = {**_CUSTODIAN, "fiatValue": 25.5, **_OPTIONS, "bankAccountNumber": "NL01"}
_BROKER = {**_BUY, **_CALLED, "destinationAddress": None, "paymentMethodCode": "BUY_IDEAL", "stage": False}
_SMALL = {**_CUSTODIAN, "cryptoAmount": 0.000001}
_SELL = {**_SMALL, **_OPTIONS, "bankAccountNumber": "NL01"}
_REQUEST = {**_SMALL, **_OPTIONS, **_CALLED, "receiveAddress": None, "paymentMethodCode": "CUST_RECEIVEIN"}
_SOURCE = {"source": {**_SMALL, "accountCode": None}, **_REFERENCES}
_BROKER_BUY = {
    "PaymentMethodCode": "BUY_IDEAL",
    "AccountCode": "{broker_account}",
    "Amount": 50,
    "Currency": "EUR",
    "Ip": None,
    "CallbackUrl": "https://a.example.org",
    "BlockchainMessage": None,
}
_BROKER_SELL = {"accountCode": "{broker_account}", "paymentMethodCode": "SELL_SEPA", "cryptoAmount": 0.01, "ip": "192.0.2.1"}
_PERSON = {
    "FirstName": "A",
    "LastName": None,
    "Types": ["Director"],
    "DateOfBirth": "1980-01-31",
    "NationalityCountryCode": "NL",
    "ResidenceCountryCode": None,
    "OwnershipPercentage": 0.5,
}
_BANK = {"bicCode": "NEWBNL2A", "name": "New", "city": None, "countryCode": "NL"}
_ORDER = {"exchangeCode": "KRAKEN", "action": "Buy", "type": "Limit", "crypto": "BTC", "currency": "EUR", "amount": 100}
_LIMITED = {**_ORDER, "limitPrice": 1000, "expiring": "2026-03-02T00:00:00+00:00", "data": {"a": "b"}}
_TRANSFER = {
    "sourceType": "HotWallet",
    "sourceExchangeCode": None,
    "sinkType": "Exchange",
    "sinkExchangeCode": "KRAKEN",
    "amount": 0.5,
    "cryptoCode": "BTC",
    "transferAddress": None,
    "userName": "u",
}
_MAIL = {
    "content": None,
    "type": "ReviewRequest",
    "references": {"customerCode": "{customer}"},
    "recipient": {"email": "a@example.org", "cc": None, "bcc": None},
}
_STORE = {
    "Name": "files",
    "Description": None,
    "DocumentStoreType": "AzureFiles",
    "Parameters": {"Account": "a", "Key": "k", "ShareName": "s"},
    "MaxFileSizeInMB": 5,
    "MaxFileCount": 10,
}
_FILE = {
    "file": "content",
    "filePath": "{new}.txt",
    "customerCode": "{customer}",
    "documentStoreTypeCode": "ID",
    "alias": "a",
    "description": "d",
    "itemReference": "i",
}
_SCHEDULE = {
    "bucketCode": None,
    "cryptoCode": "BTC",
    "currencyCode": "EUR",
    "defaultRate": 0.04,
    "paymentMethodCode": "CUST_INTEREST",
    "rateType": None,
    "payoutPeriod": {"amount": 1, "unit": "Months"},
    "subIntervalPeriod": {"amount": 7, "unit": "Days"},
    "startDate": "2026-04-01T00:00:00Z",
}

WRITING: tuple[Sent, ...] = (
    (
        "sdk",
        "POST /customer",
        "CreatedCustomer",
        {"CustomerCode": "{new}", "TrustLevel": "New", "Email": None, "Data": {"a": "b"}},
    ),
    (
        "sample",
        "POST /customer",
        "CreatedCustomer",
        {
            "customerCode": "{new}",
            "trustLevel": "Trusted",
            "currencyCode": "EUR",
            "status": "ACTIVE",
            "bankAccounts": [{"bankAccountNumber": "NL01", "bankAccountName": "A"}],
            "accounts": [
                {"accountType": "BROKER", "customerCryptoAddress": "bc1qxxxxxxxxxxxx", "cryptoCode": "BTC", "ip": "192.0.2.1"}
            ],
        },
    ),
    ("sdk", "PUT /customer/{customer}", "Customer", {"Status": "ACTIVE", "TrustLevelCode": None, "Reason": "checked"}),
    ("casp", "PUT /customer/{customer}", "Customer", {"trustLevelCode": "Trusted", "fieldsToClear": ["phone"], "tag": "vip"}),
    ("sdk", "DELETE /customer/{made}", "DeletedCustomer", None),
    (
        "sample",
        "POST /customer/{customer}/accounts",
        "Account",
        {"accountType": "BROKER", "customerCryptoAddress": "bc1qxxxxxxxxxxxx", "cryptoCode": "BTC", "ip": "192.0.2.1"},
    ),
    (
        "casp",
        "POST /customer/{customer}/accounts",
        "Account",
        {"accountType": "CUSTODIAN", "cryptoCode": "BTC", "custodianSettings": {"generateReceiveAddress": True}},
    ),
    ("casp", "POST /customer/{customer}/nonnativeaccount", "Account", {"accountCode": "{account}", "cryptoCode": "USDT-ERC20"}),
    ("casp", "PUT /customer/{customer}/accounts/{account}", "Account", {"bucketCode": "BUCKET0001"}),
    ("sample", "GET /accounts/activate/{new_account}", "null", None),
    ("casp", "GET /customer/{customer}/accounts/activate/{new_account}", "null", None),
    ("sample", "DELETE /accounts/{new_account}", "null", None),
    ("casp", "DELETE /customer/{customer}/accounts/{new_account}", "null", None),
    ("sdk", "POST /customer/{customer}/person", "Person", _PERSON),
    ("sdk", "PUT /customer/{customer}/person/{person}", "Person", {**_PERSON, "FieldsToClear": ["Type.Director"]}),
    ("sdk", "DELETE /customer/{customer}/person/{person}", "null", None),
    (
        "sdk",
        "POST /customer/{customer}/bankaccounts",
        "BankAccount",
        {
            "Number": "NL02",
            "CurrencyCode": "EUR",
            "IsPrimary": False,
            "Name": None,
            "Bank": {"BicCode": "INGBNL2A", "Name": None},
        },
    ),
    (
        "casp",
        "POST /customer/{customer}/bankAccounts",
        "BankAccount",
        {"number": "NL03", "currencyCode": "EUR", "isPrimary": True, "bank": _BANK},
    ),
    (
        "sdk",
        "PUT /customer/{customer}/bankaccounts/{bank_account}",
        "BankAccount",
        {"Number": "NL99", "CustomerCode": "{customer}", "Name": "N", "IsPrimary": True},
    ),
    ("sdk", "DELETE /customer/{customer}/bankAccounts/{bank_account}", "null", None),
    ("casp", "POST /banks", "Bank", {**_BANK, "bicCode": "OTHRNL2A", "ibanCode": "OTHR", "issuerId": None}),
    ("casp", "PUT /banks/{bank}", "Bank", {"city": "Rotterdam"}),
    ("sdk", "POST /transactions/custodian/{running}/cancel", "Transacted", "null"),
    ("casp", "POST /transactions/custodian/{running}/cancel", "Transacted", None),
    ("casp", "PUT /transactions/custodian/{to_pay_out}/payoutconfirming", "Transacted", {"paymentReference": "R"}),
    (
        "casp",
        "PUT /transactions/custodian/{to_pay_out}/payout",
        "Transacted",
        {"customerBankAccountId": "{bank}", "paymentReference": None},
    ),
    ("sample", "POST /buy/broker", "BrokerBuy", _BROKER_BUY),
    ("sample", "POST /buy/broker/simulate", "BrokerBuySimulation", _BROKER_BUY),
    ("sample", "POST /sell/broker", "BrokerSell", _BROKER_SELL),
    ("sample", "POST /sell/broker/simulate", "BrokerSellSimulation", _BROKER_SELL),
    ("casp", "POST /brokerbuy", "Transacted", _BROKER),
    ("casp", "POST /brokerbuy/simulate", "Transacted", _BROKER),
    ("casp", "POST /brokerbuy", "Transacted", {**_BROKER, "stage": True}),
    *(
        ("casp", f"POST /paymentrequest/brokersell{twin}", "Transacted", {**_SELL, "paymentMethodCode": "SELL_SEPA", **worth})
        for twin in ("", "/simulate")
        for worth in ({"callbackUrl": "https://a.example.org"}, {"cryptoAmount": None, "fiatValue": 25.5})
    ),
    ("casp", "POST /buy/custodian", "Transacted", {**_BUY, "paymentMethodCode": "CUST_BUY_IDEAL"}),
    ("casp", "POST /buy/custodian/simulate", "Transacted", {**_BUY, "paymentMethodCode": "CUST_BUY_IDEAL"}),
    ("casp", "POST /sell/custodian", "Transacted", {**_SELL, "paymentMethodCode": "CUST_SELL_SEPA"}),
    ("casp", "POST /sell/custodian/simulate", "Transacted", {**_SELL, "paymentMethodCode": "CUST_SELL_SEPA"}),
    ("casp", "POST /gift/custodian", "Transacted", {**_BUY, "paymentMethodCode": "CUST_GIFT"}),
    ("casp", "POST /gift/custodian/simulate", "Transacted", {**_BUY, "paymentMethodCode": "CUST_GIFT"}),
    ("casp", "POST /clawback/custodian", "Transacted", {**_SMALL, **_OPTIONS}),
    (
        "casp",
        "POST /sendinternal/custodian",
        "Twins",
        {**_SOURCE, "paymentMethodCode": "CUST_SENDINTERNAL", "destination": {"customerCode": "{made}"}},
    ),
    (
        "casp",
        "POST /sendinternal/custodian/simulate",
        "Twins",
        {**_SOURCE, "paymentMethodCode": "CUST_SENDINTERNAL", "destination": {"customerCode": "{made}"}},
    ),
    (
        "casp",
        "POST /sendout/custodian",
        "Transacted",
        {**_SOURCE, **_CALLED, "paymentMethodCode": "CUST_SENDOUT", "destination": {"address": "bc1q"}},
    ),
    (
        "casp",
        "POST /sendout/custodian/simulate",
        "Transacted",
        {**_SOURCE, **_CALLED, "paymentMethodCode": "CUST_SENDOUT", "destination": {"address": "bc1q"}},
    ),
    (
        "casp",
        "POST /sendtobucket/custodian",
        "Transacted",
        {
            "source": {**_SMALL, "accountCode": None, "bucketCode": None},
            **_REFERENCES,
            "paymentMethodCode": "CUST_SENDTOBUCKET",
            "destination": {"bucketCode": "BUCKET0001", "accountCode": None},
        },
    ),
    *(
        (
            "casp",
            f"POST /swap/custodian{twin}",
            "Twins",
            {
                "paymentMethodCode": "CUST_SWAP",
                "customerCode": "{customer}",
                "paymentReference": "R-1",
                "source": {"cryptoCode": "{crypto}", "cryptoAmount": 0.000001, "requestedPrice": None},
                "destination": {"cryptoCode": "ETH"},
            },
        )
        for twin in ("", "/simulate")
    ),
    *(
        ("casp", f"POST /paymentrequest/custodian{twin}", "PaymentRequest", body)
        for twin in ("", "/simulate")
        for body in (_REQUEST, {"cryptoCode": "BTC", "currencyCode": "EUR", "paymentMethodCode": "CUST_RECEIVEIN"})
    ),
    ("casp", "POST /interest/custodian/schedules", "Schedule", _SCHEDULE),
    ("casp", "PUT /interest/custodian/schedules/{schedule}", "Schedule", {"defaultRate": 0.05}),
    ("casp", "PUT /interest/custodian/subintervals/{part}", "SubInterval", {"adjustedRate": 0.05}),
    ("casp", "POST /orders", "Order", _LIMITED),
    ("casp", "PUT /orders/{open_order}/cancel", "empty", None),
    ("casp", "POST /transfers", "empty", _TRANSFER),
    ("sdk", "POST /transfers", "empty", {name[0].upper() + name[1:]: value for name, value in _TRANSFER.items()}),
    ("casp", "POST /portfolios", "[Portfolio]", {"code": "{new}", "name": None, "mailsEnabled": False}),
    ("casp", "POST /buckets", "[Bucket]", {"code": "{new}", "name": "N", "customerCode": "{customer}"}),
    ("casp", "PUT /buckets/{bucket}", "Bucket", {"name": "M"}),
    ("casp", "DELETE /buckets/{bucket}", "null", None),
    ("casp", "PUT /paymentmethod/BUY_SEPA/fees/customer", "CustomerFee", {"customerCode": "{customer}", "value": 0.005}),
    ("casp", "DELETE /paymentmethod/BUY_SEPA/fees/customer/{customer_with_fee}", "CustomerFee", None),
    ("casp", "PUT /paymentmethod/BUY_SEPA/fees/tag", "TagFee", {"customerTag": "vip", "value": "0.01"}),
    ("casp", "DELETE /paymentmethod/BUY_SEPA/fees/tag/{tag_with_fee}", "TagFee", None),
    ("sample", "POST /mail", "Mail", _MAIL),
    ("sample", "PUT /mail/{mail}", "Mail", {"content": {"subject": "S", "html": "<b>", "text": None}}),
    ("sample", "PUT /mail/{mail}/sent", "Mail", None),
    ("casp", "POST /Notifications", "empty", {"type": "Operational", "level": "Warning", "title": "T", "message": "M"}),
    ("sdk", "PUT /integrations/documentstore", "StoreSettings", _STORE),
    ("sdk", "DELETE /integrations/documentstore", "null", None),
    ("sdk", "POST /integrations/documentstore", "StoreSettings", _STORE),
    ("sdk", "POST /integrations/documentstore/file", "DocumentRecord", _FILE),
    (
        "sdk",
        "PUT /integrations/documentstore/file",
        "DocumentRecord",
        {"FilePath": "{uploaded}", "Alias": "b", "Description": None},
    ),
    ("sdk", "GET /integrations/documentstore/file?filePath={uploaded}", "bytes", None),
    ("sdk", "DELETE /integrations/documentstore/file?filePath={uploaded}", "null", None),
    ("sdk", "POST /integrations/documentstore/type", "DocumentType", {"Code": "{new}", "Name": "N", "Description": None}),
    ("sdk", "PUT /integrations/documentstore/type/{document_type}", "DocumentType", {"Name": "M", "Description": "D"}),
    ("sdk", "DELETE /integrations/documentstore/type/{document_type}", "null", None),
    (
        "casp",
        "POST /sanction/search",
        "Search",
        {
            "name": "A",
            "dateOfBirth": "1980-01-31",
            "cryptoAddress": None,
            "entityType": None,
            "fuzzySearch": True,
            "lists": "EU",
            "referenceCode": "R-1",
            "environmentCode": "TEST",
        },
    ),
    (
        "casp",
        "POST /sanction/validatedentry",
        "empty",
        {
            "entityCode": "7",
            "environmentCode": "TEST",
            "sanctionLists": [{"code": "EU", "version": "52.0"}],
            "userName": "u",
        },
    ),
    ("casp", "GET /sanction/validatedentry/EU/{judged}?EnvironmentCode=TEST", "[ValidatedEntry]", None),
    ("casp", "DELETE /sanction/validatedentry/EU/{judged}?EnvironmentCode=", "empty", None),
)
