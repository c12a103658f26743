"""Schemas of compliance: history, comments, free data, personal data, and the sanction lists."""

from airflow_provider_nexus.api.schemas.field import date, flag, integer, schema, text, time

_OWNER = text("customerCode", "Customer that it belongs to; not on the wire, added by the provider", personal=True)

COMPLIANCE_HISTORY = schema(
    "ComplianceHistory",
    text("customerCode", "Customer", personal=True),
    time("created", "When the change was made"),
    text("status", "Status since then: New, Active, UnderReview, Blocked, Deleted, in any case"),
    text("trustlevel", "Trust level since then", column="trust_level"),
    text("currencyCode", "Currency that the customer may transact in"),
    flag("isBusiness", "A business, not a private person"),
    text("riskQualification", "None, Low, Medium, High or VeryHigh"),
    time("latestReview", "When the customer had last been reviewed by then"),
    flag("isReviewRecommended", "A review was recommended"),
    text("reason", "Why it was changed"),
    text("initiatedBy", "Who changed it", personal=True),
)

COMMENT = schema(
    "Comment",
    _OWNER,
    text("guid", "Guid of the comment"),
    text("author", "Who wrote it", personal=True),
    text("text", "What was written; free text about a customer", personal=True),
    time("created", "When it was written"),
    time("updated", "When it was last changed"),
)

CUSTOMER_DATA = schema(
    "CustomerData",
    _OWNER,
    text("key", "Name of the entry"),
    text("value", "Any text", personal=True),
    time("created", "When it was added"),
    text("createdBy", "Who added it", personal=True),
    time("updated", "When it was last changed"),
    text("updatedBy", "Who last changed it", personal=True),
)

PERSONAL_DATA = schema(
    "PersonalData",
    text("customerCode", "Customer", personal=True),
    text("firstName", "First name", personal=True),
    text("lastName", "Last name", personal=True),
    date("dateOfBirth", "Date of birth", personal=True),
    text("phone", "Phone number", personal=True),
    text("companyName", "Company name", personal=True),
    text("address", "Street address", personal=True),
    text("city", "City", personal=True),
    text("state", "State or province", personal=True),
    text("countryName", "Name of the country"),
)

TRACE_SUMMARY = schema(
    "TraceSummary",
    _OWNER,
    text("ip", "IP address of the end customer", personal=True),
    text("countryCode", "Country code of the address"),
    text("countryName", "Country of the address"),
    text("isp", "Internet provider"),
    integer("count", "Traces from the address"),
)

SANCTION_LIST = schema("SanctionList", text("code", "Code of the list"), text("name", "Name"))

SANCTION_LIST_UPLOAD = schema(
    "SanctionListUpload",
    text("code", "Code of the list"),
    text("name", "Name of the list"),
    text("version", "Version of the list"),
    text("status", "Live, Disabled or Deleted"),
    time("created", "When it was uploaded"),
    time("deletedOn", "When it was deleted"),
    text("userName", "Who uploaded it", personal=True),
    integer("nameCount", "Names on it"),
    integer("aliasCount", "Other names on it"),
)
