"""Customers and what belongs to them: accounts, persons, bank accounts, traces."""

from __future__ import annotations

from airflow_provider_nexus.api.schemas.field import date, flag, many, mapping, nested, ratio, schema, text, time
from airflow_provider_nexus.api.schemas.partner import BANK, NAMED_COUNTRY

CUSTOMER = schema(
    "Customer",
    text("customerCode", "Code chosen by the client; letters, digits, _ and -", personal=True),
    text("email", "E-mail address", personal=True),
    text("countryCode", "Country of residence, ISO 3166-1 alpha-2"),
    text("currencyCode", "Preferred currency, ISO 4217"),
    time("created", "When the customer was made"),
    text("status", "Lifecycle status: New, Active, UnderReview, Blocked, Deleted, in any case"),
    text("trustlevel", "Name of the trust level", column="trust_level"),
    text("portFolioCode", "Portfolio; the capital F is the wire's", column="portfolio_code"),
    flag("isBusiness", "A business, not a private person"),
    text("bankAccount", "Number of the primary bank account", personal=True),
    text("bankAccountName", "Holder of the primary bank account", personal=True, surface="A"),
    text("identifiedBankAccountName", "Holder as identified by the bank", personal=True, surface="B"),
    flag("isHighRisk", "Marked as high risk", surface="A"),
    flag("hasPhotoId", "A photo id was seen", surface="A"),
    text("riskQualification", "None, Low, Medium, High or VeryHigh", surface="B"),
    text("comment", "Free comment", surface="A"),
    mapping("data", "Free key and value data; of the CASP generation only in the answer for one customer", personal=True),
    text("name", "Full name", personal=True, surface="B"),
    text("firstName", "First name", personal=True, surface="B"),
    text("lastName", "Last name", personal=True, surface="B"),
    date("dateOfBirth", "Date of birth", personal=True, surface="B"),
    text("phone", "Phone number", personal=True, surface="B"),
    text("companyName", "Company name", personal=True, surface="B"),
    text("address", "Street address", personal=True, surface="B"),
    text("city", "City", personal=True, surface="B"),
    text("zipCode", "Postal code", personal=True, surface="B"),
    text("state", "State or province", personal=True, surface="B"),
    text("tag", "Free tag", surface="B"),
    text("externalCustomerCode", "The client's own second code", personal=True, surface="B"),
    time("firstTransaction", "When the first transaction was made"),
    time("latestTransaction", "When the latest transaction was made", surface="B"),
    time("latestReview", "When the customer was last reviewed", surface="B"),
    flag("isReviewRecommended", "A review is recommended", surface="B"),
    text("latestComplianceHistoryReason", "Reason of the latest compliance change", surface="B"),
)

ACCOUNT = schema(
    "Account",
    text("guid", "Fallback id when the code is missing"),
    text("accountCode", "Code made by Nexus"),
    text("customerCode", "Owner", personal=True),
    time("created", "When the account was made"),
    time("activated", "When the account was activated", surface="B"),
    text("dcReceiveAddress", "Address in Nexus that the customer sends to"),
    text("customerCryptoAddress", "The customer's own wallet", personal=True),
    text("dcCode", "Crypto code", column="crypto_code"),
    text("accountStatus", "New, Invalid, Valid, Active or Deleted, in any case"),
    text("accountType", "Custodian, Broker or Token", surface="B"),
    text("bucketCode", "Bucket; null is the main one", surface="B"),
    nested(
        "provider",
        "Who has the keys",
        text("type", "Undefined, CustodianSeparateAddress, CustodianOmnibus or SelfHosted"),
        text("name", "Name of the provider"),
        surface="B",
    ),
)

PERSON = schema(
    "Person",
    text("id", "Guid of the person"),
    text("customerCode", "Customer that the person belongs to", personal=True),
    text("firstName", "First name", personal=True),
    text("lastName", "Last name", personal=True),
    many("types", "Director, UltimateBeneficialOwner, PseudoUltimateBeneficialOwner, AuthorisedRepresentative, Other"),
    date("dateOfBirth", "Date of birth", personal=True),
    nested("nationality", "Nationality", *NAMED_COUNTRY),
    nested("residenceCountry", "Country of residence", *NAMED_COUNTRY),
    ratio("ownershipPercentage", "Share owned, 0.01 to 1"),
    time("createdOn", "When the person was added"),
    text("createdBy", "Who added the person", personal=True),
    time("updatedOn", "When the person was last changed"),
    text("updatedBy", "Who last changed the person", personal=True),
)

BANK_ACCOUNT = schema(
    "BankAccount",
    text("id", "Guid of the bank account"),
    text("number", "Account number, often an IBAN", personal=True),
    text("name", "Holder", personal=True),
    text("customerCode", "Owner", personal=True),
    text("currencyCode", "Currency of the account"),
    nested("bank", "The bank", *BANK.fields),
    flag("isPrimary", "The customer's primary account; setting one unsets the others"),
    time("created", "When the bank account was added"),
    text("createdBy", "Who added it", personal=True),
    time("updated", "When it was last changed"),
    text("updatedBy", "Who last changed it", personal=True),
)

TRACE = schema(
    "Trace",
    text("customerCode", "Customer that acted; not on the wire, added by the provider", personal=True),
    text("ip", "IP address of the end customer", personal=True),
    time("created", "When it happened"),
    text("action", "What was done"),
    text("entityType", "Account, Customer, Order, a transaction type, or null"),
    nested(
        "geoLocation",
        "Where the address is",
        text("countryCode", "Country code"),
        text("countryName", "Country name"),
        text("isp", "Internet provider"),
    ),
)

DOCUMENT = schema(
    "DocumentRecord",
    text("filePath", "Path of the file in the store; its key"),
    text("fileName", "File name", personal=True),
    nested(
        "documentStoreType",
        "Type of document; the names inside are in PascalCase",
        text("Code", "Code of the type"),
        text("Name", "Name of the type"),
        text("OtherDescription", "Description of another type"),
    ),
    text("alias", "Other name"),
    text("description", "Description"),
    text("customerCode", "Owner", personal=True),
    text("itemReference", "What the document belongs to"),
    text("state", "State"),
    text("fileSizeInMB", "Size in MB, sent as text"),
    time("createdOn", "When it was uploaded"),
    time("updatedOn", "When its metadata was last changed"),
)
