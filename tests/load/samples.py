"""Answers of the API, typed by hand from what its sources say of it, by resource: none of it comes from the sandbox."""

from __future__ import annotations

from typing import Any

VALUES = '{"message":"Successfully processed your request","errors":null,"values":%s}'
PAGE = '{"page":1,"total":%d,"totalPages":1,"filteringParameters":{},"records":[%s]}'


def page(*records: str) -> bytes:
    """A page of records."""
    return values(PAGE % (len(records), ",".join(records)))


def values(text: str) -> bytes:
    """An envelope."""
    return (VALUES % text).encode()


SAMPLES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "countries": (
        page(
            '{"code":"NL","description":"Netherlands","status":"None"}', '{"code":"KP","description":"Korea","status":"Blocked"}'
        ),
        {"code": "NL", "description": "Netherlands", "status": "None"},
    ),
    "cryptocurrencies": (
        page(
            '{"code":"USDT-ERC20","name":"Tether","isActive":true,"isEnabled":false,"blockchain":{"name":"Ethereum",'
            '"addressExplorerURL":"https://e.org/a/","transactionExplorerURL":"https://e.org/t/"},"hotWalletReceiveFlow":'
            '"MultiAddressFlow","transactionLimits":{"sell":{"minimalAmount":1E-05},"buy":{"minimalValue":25.000}}}'
        ),
        {
            "code": "USDT-ERC20",
            "is_enabled": False,
            "blockchain_address_explorer_url": "https://e.org/a/",
            "transaction_limits_sell_minimal_amount": "0.00001",
            "transaction_limits_buy_minimal_value": "25",
        },
    ),
    "crypto_addresses": (
        page(
            '{"created":"2026-01-02T03:04:05Z","createdBy":"jan","status":["Active","Whitelisted"],"sink":{"sinkType":"Exchange",'
            '"sinkTradeExchangeCode":"KRAKEN","sinkTradeExchangeName":"Kraken"},"source":null,"cryptoCode":"XRP","address":'
            '"rN7 ","addressReference":"104857","comment":null,"exchangeWalletCode":null}'
        ),
        {
            "_key": "XRP|rN7 |104857||2026-01-02T03:04:05Z",
            "status": '["Active","Whitelisted"]',
            "sink_sink_trade_exchange_code": "KRAKEN",
            "source_source_type": None,
            "address_reference": "104857",
            "created": "2026-01-02 03:04:05+00:00",
        },
    ),
    "banks": (
        values(
            '[{"id":"6f9619ff-8b86-d011-b42d-00c04fc964ff","name":"ING","country":"NL","bicCode":"INGBNL2A","city":"Amsterdam"}]'
        ),
        {"_key": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "country_code": "NL", "bic_code": "INGBNL2A"},
    ),
    "data_templates": (
        page('{"code":"score","name":"Score","description":null,"type":"Customer","entityType":"Business"}'),
        {"_key": "Customer|score", "entity_type": "Business"},
    ),
    "document_types": (
        page(
            '{"name":"Identity","code":"ID","description":null,"createdOn":"2026-01-02T03:04:05.1234567+00:00","updatedOn":null}'
        ),
        {"_key": "ID", "created_on": "2026-01-02 03:04:05.123456+00:00", "updated_on": None},
    ),
    "document_store": (
        values(
            '{"name":"files","description":null,"documentStoreType":"AzureFiles","shareName":"kyc","maxFileSizeInMB":25,'
            '"maxFileCount":100}'
        ),
        {"_key": "files|kyc", "max_file_size_in_mb": "25", "max_file_count": "100", "document_store_type": "AzureFiles"},
    ),
    "interest_schedules": (
        page(
            '{"id":"0b6f","bucketCode":null,"cryptoCode":"ETH","currencyCode":"EUR","defaultRate":0.0425,"paymentMethodCode":'
            '"INT","startDate":"2026-01-01T00:00:00Z","payoutPeriod":{"amount":1,"unit":"Months"},"subIntervalPeriod":'
            '{"amount":7,"unit":"Days"},"intervals":[{"id":"1","number":1,"from":"2026-01-01T00:00:00Z","to":'
            '"2026-02-01T00:00:00Z","subIntervals":[{"id":"2","number":1,"from":"2026-01-01T00:00:00Z","to":'
            '"2026-01-08T00:00:00Z","adjustedRate":null}]}]}'
        ),
        {
            "default_rate": "0.0425",
            "payout_period_amount": "1",
            "payout_period_unit": "Months",
            "start_date": "2026-01-01 00:00:00+00:00",
        },
    ),
    "sanction_lists": (values('[{"code":"EU","name":"European Union"},{"code":"UN","name":null}]'), {"_key": "EU"}),
    "sanction_list_uploads": (
        values(
            '[{"code":"EU","name":"European Union","version":"12","status":"Live","created":"2026-01-02T03:04:05+00:00",'
            '"deletedOn":null,"userName":"jan","nameCount":12000,"aliasCount":31000}]'
        ),
        {"_key": "EU|12|2026-01-02T03:04:05+00:00", "name_count": "12000", "created": "2026-01-02 03:04:05+00:00"},
    ),
    "customer_compliance_history": (
        page(
            '{"customerCode":"NL91ABNA0417164300","created":"2026-01-02T03:04:05Z","status":"UnderReview","trustlevel":"Trusted",'
            '"currencyCode":"EUR","isBusiness":false,"riskQualification":"VeryHigh","latestReview":null,'
            '"isReviewRecommended":true,"reason":"periodic","initiatedBy":"jan"}'
        ),
        {
            "_key": "NL91ABNA0417164300|2026-01-02T03:04:05Z|UnderReview|Trusted|VeryHigh|",
            "trust_level": "Trusted",
            "is_review_recommended": True,
            "latest_review": None,
        },
    ),
    "customer_comments": (
        page('{"guid":"0b6f","author":"jan","text":"line\\none","created":"2026-01-02T03:04:05Z","updated":null}'),
        {"_key": "0b6f", "customer_code": "NL91ABNA0417164300", "text": "line\none", "updated": None},
    ),
    "customer_data": (
        values(
            '[{"key":"score","value":"0012","created":"2026-01-02T03:04:05Z","createdBy":"api","updated":null,"updatedBy":null},'
            '{"key":"source","value":null,"created":"2026-01-02T03:04:05Z","createdBy":"api","updated":null,"updatedBy":null}]'
        ),
        {"_key": "NL91ABNA0417164300|score", "value": "0012", "created": "2026-01-02 03:04:05+00:00"},
    ),
    "customer_personal_data": (
        values(
            '{"customerCode":"NL91ABNA0417164300","firstName":"Jan","lastName":"de Vries","dateOfBirth":"1980-02-29",'
            '"phone":null,"companyName":null,"address":"Dam 1","city":"Amsterdam","state":null,"countryName":"Netherlands"}'
        ),
        {"_key": "NL91ABNA0417164300", "date_of_birth": "1980-02-29", "country_name": "Netherlands"},
    ),
    "customer_trace_summaries": (
        values('[{"ip":"192.0.2.7","countryCode":"NL","countryName":"Netherlands","isp":"KPN","count":3}]'),
        {"_key": "NL91ABNA0417164300|192.0.2.7|NL|KPN", "count": "3"},
    ),
    "customer_balances": (
        values('{"cryptoBalances":[{"code":"BTC","name":"Bitcoin","locked":0,"total":-1.5E-06,"available":-0.0000015000}]}'),
        {"_key": "NL91ABNA0417164300|BTC", "total": "-0.0000015", "available": "-0.0000015", "locked": "0"},
    ),
    "transaction_flows": (
        values(
            '{"transactionCode":"BC20260102030405A1B","transactionHash":"12345678901234567890","senders":[{"address":"bc1q",'
            '"amount":0.10000000}],"receivers":[{"address":"bc1p","amount":0.1}],"token":"BTC"}'
        ),
        {
            "_key": "BC20260102030405A1B",
            "transaction_hash": "12345678901234567890",
            "senders": '[{"address":"bc1q","amount":0.10000000}]',
        },
    ),
    "broker_transaction_callbacks": (
        page(
            '{"notification":{"status":"BuyCompleted","type":"BUY","customerReference":null,"accountCode":"A1234567",'
            '"transactionCode":"BC20260102030405A1B","currencyCode":"EUR","cryptoCurrencyCode":"BTC","paymentMethodCode":"IDEAL",'
            '"created":"2026-01-02T03:04:05Z","validUntil":null,"confirmations":{"count":null,"required":6},"buy":'
            '{"sendCryptoTxId":"77","cryptoCurrencyAmount":0.1,"currencyAmount":99.990},"sell":null,"sendout":null,"receiveIn":null,'
            '"merchant":null,"brokerBuy":{"cryptoAmount":0.1,"destinationAddress":"bc1q","txId":"77"},"brokerSell":null},'
            '"labelPartnerCode":"LP","transactionCode":"BC20260102030405A1B","url":"https://shop.example.org/hook","response":"OK",'
            '"isSuccess":true,"finished":"2026-01-02T03:04:07Z","inserted":"2026-01-02T03:04:06Z","dequeueCount":1}'
        ),
        {
            "notification_buy_currency_amount": "99.99",
            "notification_broker_buy_destination_address": "bc1q",
            "notification_confirmations_required": "6",
            "dequeue_count": "1",
        },
    ),
    "payment_method_customer_fees": (
        page('{"customerCode":"C1","value":0.015}'),
        {"_key": "SEPA|C1", "payment_method_code": "SEPA", "value": "0.015"},
    ),
    "payment_method_tag_fees": (
        page('{"customerTag":"vip","value":0}'),
        {"_key": "SEPA|vip", "customer_tag": "vip", "value": "0"},
    ),
}
"""The body of an answer, and the columns that its first record must have, numbers and times as text."""
