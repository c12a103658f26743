-- made by docs/dbt_staging.py from the catalogue
{{ config(enabled=dbt_nexus.is_loaded('mails')) }}

select
    code,
    {{ dbt_nexus.utc('created') }} as created_at,
    {{ dbt_nexus.utc('sent') }} as sent_at,
    {{ dbt_nexus.word('status') }} as status,
    {{ dbt_nexus.word('type') }} as type,
    references_account_code as account_code,
    references_customer_code as customer_code,
    references_transaction_code as transaction_code,
    content_subject,
    content_html,
    content_text,
    recipient_email,
    recipient_cc,
    recipient_bcc,
    cast(count as bigint) as count,
    {{ dbt_nexus.utc_day('created') }} as created_on
from {{ dbt_nexus.records('mails') }}
