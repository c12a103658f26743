"""Mails that Nexus wants sent. See docs/api_facts.rst, Mail."""

from airflow_provider_nexus.api.schemas.field import integer, nested, schema, text, time

MAIL = schema(
    "Mail",
    text("code", "Guid of the mail"),
    time("created", "When it was made"),
    time("sent", "When it was sent; an empty string on the wire when it was not"),
    text("status", "ReadyToSend, Sent or Deleted"),
    text("type", "Kind of mail, such as TransactionBuyFinish"),
    nested(
        "references",
        "What it is about",
        text("accountCode", "Account"),
        text("customerCode", "Customer", personal=True),
        text("transactionCode", "Transaction"),
    ),
    nested(
        "content",
        "Text of the mail",
        text("subject", "Subject", personal=True),
        text("html", "HTML body", personal=True),
        text("text", "Plain body", personal=True),
    ),
    nested(
        "recipient",
        "Who gets it",
        text("email", "Address; may be padded with blanks", personal=True),
        text("cc", "Comma-separated copies", personal=True),
        text("bcc", "Comma-separated blind copies", personal=True),
    ),
    integer("count", "Number of mails alike", surface="B"),
)
