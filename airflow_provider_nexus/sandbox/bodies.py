"""Fields that the body of each writing call has, as the sources declare it (docs/api_facts.rst, endpoints).

A field is written ``name!:kind<longest=A|B``: ``!`` is required, kinds are text (not written), ``number``, ``flag``, ``list``,
``object``, ``guid``, ``date`` and ``any``. ``^`` before a name means that its case counts; no other name's does. Names
that are not declared are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from airflow_provider_nexus.sandbox.call import ApiCall, Refusal

_MAILS = (
    "NewAccountRequested|NewAccountActivated|AccountDeleteRequested|TrustLevelUpdated|AccountInfoRequest|TransactionToBeReturned"
    "|TransactionReturned|TransactionTraded|TransactionSellFinish|TransactionBuyFinish|AccountDeletedByRequest"
    "|AccountDeletedByOperator|ReviewRequest|SendBitcoins|InviteFriend|BlockedTransaction|TransactionPayback|ComplianceInfo"
    "|ContactConfirm|PriceAlertBuyTriggered|PriceAlertExpired|PriceAlertSellTriggered|PromotionCodeRequested|PromotionCodePaid"
    "|TransactionBuySendDelay|CustNameUpdateRequest|WrongBankAccountWarning|TestPaymentSettled|SendGift|TransactionNoticed"
    "|NewCustomerRequested"
)
_CUSTOMER = (
    "currencyCode portfolioCode email countryCode isBusiness:flag name firstName lastName dateOfBirth:date phone companyName"
    " address city zipCode state externalCustomerCode riskQualification=None|Low|Medium|High|VeryHigh isReviewed:flag"
    " isReviewRecommended:flag reason data:object bankAccounts:list accounts:list"
)
_PERSON = (
    "firstName lastName types:list dateOfBirth:date nationalityCountryCode residenceCountryCode ownershipPercentage:number"
    " fieldsToClear:list"
)
_BANK = "bicCode name city countryCode"
_BANK_ACCOUNT = f"name<80 bank:object {' '.join(f'bank.{name}' for name in _BANK.split())}"
_PAYOUT = "customerBankAccountId:guid paymentReference"
_BROKER = "callbackUrl<256 blockchainMessage ip"
_BOTH = "accountCode requestedPrice:number paymentReference bankAccountNumber callbackUrl<256 blockchainMessage data:object"
_BUY = f"customerCode! cryptoCode! currencyCode! fiatValue!:number paymentMethodCode! {_BOTH}"
_SOURCE = (
    "paymentMethodCode! source!:object source.customerCode! source.cryptoCode! source.currencyCode! source.cryptoAmount!:number"
    " source.accountCode destination!:object paymentReference data:object"
)
_SETTINGS = "name description parameters:object maxFileSizeInMB:number maxFileCount:number"
_TYPE = "code!<40 name!<100 description<255"
_SCHEDULE = (
    "bucketCode cryptoCode currencyCode defaultRate:number paymentMethodCode payoutPeriod:object rateType startDate"
    " subIntervalPeriod:object"
)
_PLACES = "Exchange|HotWallet|Coldstore|Other"

_SIMULATED = {
    "/buy/broker": f"paymentMethodCode! accountCode! amount!:number currency! {_BROKER}",
    "/sell/broker": f"accountCode! paymentMethodCode! cryptoAmount!:number {_BROKER}",
    "/brokerbuy": f"{_BUY} destinationAddress stage:flag",
    "/paymentrequest/brokersell": f"customerCode! cryptoCode! currencyCode! paymentMethodCode! fiatValue:number"
    f" cryptoAmount:number {_BOTH}",
    "/buy/custodian": _BUY,
    "/sell/custodian": f"customerCode! cryptoCode! cryptoAmount!:number currencyCode! paymentMethodCode! {_BOTH}",
    "/gift/custodian": _BUY,
    "/clawback/custodian": f"customerCode! currencyCode! cryptoCode! cryptoAmount!:number {_BOTH}",
    "/sendinternal/custodian": f"{_SOURCE} destination.customerCode! destination.accountCode",
    "/sendout/custodian": f"{_SOURCE} destination.address! callbackUrl<256 blockchainMessage",
    "/sendtobucket/custodian": f"{_SOURCE} source.bucketCode destination.bucketCode destination.accountCode",
    "/swap/custodian": "paymentMethodCode! customerCode! source!:object source.cryptoCode! source.cryptoAmount!:number"
    " source.requestedPrice:number destination!:object destination.cryptoCode! destination.requestedPrice:number"
    " paymentReference",
    "/paymentrequest/custodian": "currencyCode! cryptoCode! paymentMethodCode! customerCode receiveAddress cryptoAmount:number"
    f" {_BOTH}",
}

DECLARED: Mapping[str, str] = {
    "POST /customer": f"customerCode!<40 trustLevel! status=NEW|ACTIVE {_CUSTOMER}",
    "PUT /customer/{}": "trustLevel trustLevelCode status=NEW|ACTIVE|UNDERREVIEW|BLOCKED|DELETED tag comment latestReview"
    f" fieldsToClear:list {_CUSTOMER}",
    "POST /customer/{}/accounts": "accountType!=BROKER|BROKERBUYONLY|CUSTODIAN customerCryptoAddress cryptoCode dcCode ip"
    " nativeAccountCode bucketCode custodianSettings:object provider:any",
    "PUT /customer/{}/accounts/{}": "customerCryptoAddress bucketCode provider:any",
    "POST /customer/{}/nonnativeaccount": "accountCode! cryptoCode! customerCryptoAddress bucketCode provider:any",
    "POST /customer/{}/person": _PERSON,
    "PUT /customer/{}/person/{}": _PERSON,
    "POST /customer/{}/bankaccounts": f"number!<40 currencyCode!<3 isPrimary!:flag {_BANK_ACCOUNT}",
    "PUT /customer/{}/bankaccounts/{}": f"number!<40 customerCode! currencyCode<3 isPrimary:flag {_BANK_ACCOUNT}",
    "POST /banks": f"{_BANK} ibanCode issuerId",
    "PUT /banks/{}": f"{_BANK} ibanCode issuerId",
    "PUT /transactions/custodian/{}/payoutconfirming": _PAYOUT,
    "PUT /transactions/custodian/{}/payout": _PAYOUT,
    "POST /orders": "exchangeCode! action!=Buy|Sell type!=Market|Limit crypto! currency! amount!:number limitPrice:number"
    " expiring data:object",
    "POST /transfers": f"sourceType!={_PLACES} sinkType!={_PLACES} sourceExchangeCode sinkExchangeCode amount!:number cryptoCode!"
    " transferAddress userName",
    "POST /portfolios": "code! name mailsEnabled:flag",
    "POST /buckets": "code! name! customerCode",
    "PUT /buckets/{}": "code name customerCode",
    "PUT /paymentmethod/{}/fees/customer": "customerCode! value!:number",
    "PUT /paymentmethod/{}/fees/tag": "customerTag! value!:number",
    "POST /mail": f"type!={_MAILS} references!:object references.accountCode references.customerCode references.transactionCode"
    " recipient!:object recipient.email recipient.cc recipient.bcc content:object content.subject content.html content.text",
    "PUT /mail/{}": "content!:object content.subject content.html content.text",
    "POST /notifications": "type!=Operational|Technical level!=Info|Warning|Error title! message!",
    "POST /integrations/documentstore": f"^DocumentStoreType! {_SETTINGS}",
    "PUT /integrations/documentstore": f"^DocumentStoreType {_SETTINGS}",
    "PUT /integrations/documentstore/file": "filePath! customerCode documentStoreTypeCode alias description itemReference",
    "POST /integrations/documentstore/type": _TYPE,
    "PUT /integrations/documentstore/type/{}": _TYPE.replace("!", ""),
    "POST /interest/custodian/schedules": _SCHEDULE,
    "PUT /interest/custodian/schedules/{}": _SCHEDULE,
    "PUT /interest/custodian/subintervals/{}": "adjustedRate:number",
    "POST /sanction/search": "name dateOfBirth cryptoAddress entityType fuzzySearch:flag lists referenceCode environmentCode",
    "POST /sanction/validatedentry": "entityCode environmentCode sanctionLists:list userName",
    **{f"POST {path}{twin}": fields for path, fields in _SIMULATED.items() for twin in ("", "/simulate")},
}
"""By method and path, placeholders without their names."""

_OWN_CODES = {("POST /customer", "customerCode"): "CustomerCodeRequired"}
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_FIELD = re.compile(r"(\^?)([\w.]+)(!?)(?::(\w+))?(?:<(\d+))?(?:=(\S+))?")


@dataclass(frozen=True)
class Declared:
    """One field of a body by its path; a text has at most ``longest`` characters, if not 0, and is one of any choices."""

    path: tuple[str, ...]
    is_exact: bool
    is_required: bool
    kind: str
    longest: int
    choices: tuple[str, ...]


def _fields(text: str) -> tuple[Declared, ...]:
    found = []
    for word in text.split():
        match = _FIELD.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} declares no field")
        exact, name, required, kind, longest, choices = match.groups()
        words = tuple(choices.split("|")) if choices else ()
        found.append(Declared(tuple(name.split(".")), bool(exact), bool(required), kind or "text", int(longest or 0), words))
    return tuple(found)


_FIELDS = {name.lower(): (name, _fields(text)) for name, text in DECLARED.items()}


def check(method: str, path: str, call: ApiCall) -> None:
    """Refuse a body that is not as declared for the template of a route: 400 with what is wrong."""
    name, fields = _FIELDS.get(f"{method} {re.sub(r'{.*?}', '{}', path)}".lower(), ("", ()))
    if not fields:
        return
    body, problems = call.json(), []
    for field in fields:
        within = body if len(field.path) == 1 else body.get(field.path[0].lower())
        if not isinstance(within, dict):
            continue
        value = within.get(field.path[-1].lower())
        if field.is_exact:
            value = (msgspec.json.decode(call.body.strip() or b"{}") or {}).get(field.path[0])
        if value in (None, ""):
            if field.is_required and (own := _OWN_CODES.get((name, field.path[-1]))):
                raise Refusal(400, own, f"{field.path[-1]} is required", [f"{field.path[-1]} is required"])
            problems += [f"{'.'.join(field.path)} is required"] if field.is_required else []
        else:
            problems += _wrong(field, value)
    if problems:
        raise Refusal(400, "ValidationError", "The request is not valid", problems)


def _wrong(field: Declared, value: Any) -> Iterator[str]:
    name = ".".join(field.path)
    if not _KINDS[field.kind](value):
        yield f"{name} is not of the kind {field.kind}"
    elif field.longest and len(value) > field.longest:
        yield f"{name} has {len(value)} characters, at most {field.longest} are taken"
    elif field.choices and value.casefold() not in {word.casefold() for word in field.choices}:
        yield f"{name} is one of {', '.join(field.choices)}"


def _is_number(value: Any) -> bool:
    """Numbers in quotes are numbers too, as .NET reads them."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": _is_number,
    "flag": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "guid": lambda value: isinstance(value, str) and _GUID.fullmatch(value) is not None,
    "date": lambda value: isinstance(value, str) and _DATE.fullmatch(value) is not None,
    "any": lambda value: True,  # noqa: ARG005
}
