"""Every five minutes, deliver the mails that are ready in Nexus, each once, and mark them as sent.

In this example each mail is written to a file `<code>.eml` in the folder of the params, so that nobody gets mail from a test.
Without `deliver`, mails are sent by the Airflow connection `smtp_default`.

- **Connection**: `nexus_default`, of type Quantoz Nexus, with *Allow writes* on.
- **Params**: mails go to `folder`; `mail_types` leaves out all others.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place.
- **More**: in the source of the provider, `docs/acting.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, get_current_context

from airflow_provider_nexus.operators.mails import NexusSendMailsOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"


# [START howto_mail_deliver]
def write_to_folder(mail: dict[str, Any]) -> None:
    """Deliver one mail; if this raises an error, the mail stays ready to be sent."""
    message = EmailMessage(SMTPUTF8)
    message["To"] = mail["recipient"]["email"]
    message["Cc"] = mail["recipient"]["cc"]
    message["Subject"] = mail["content"]["subject"] or mail["type"]
    message.set_content(mail["content"]["text"] or "")
    message.add_alternative(mail["content"]["html"] or "", subtype="html")
    folder = Path(get_current_context()["params"]["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{mail['code']}.eml").write_bytes(bytes(message))


# [END howto_mail_deliver]

with DAG(
    dag_id="example_nexus_mails",
    schedule="*/5 * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "folder": Param(f"{DATA}/mails", type="string", title="Folder", description="Where mails are written to"),
        "mail_types": Param([], type="array", title="Types of mails", description="One a line; all types if empty"),
    },
    render_template_as_native_obj=True,
) as dag:
    # [START howto_mail_operator]
    NexusSendMailsOperator(
        task_id="send",
        deliver=write_to_folder,
        mail_types="{{ params.mail_types }}",
        limit=50,
    )
    # [END howto_mail_operator]
