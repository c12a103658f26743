"""Provider metadata for Airflow. Every Airflow process reads it, so this module imports nothing."""

from __future__ import annotations

_NEXUS = "Quantoz Nexus"
_STORAGE = "Object storage"
_DATABASE = "SQL database"
_AIRFLOW_DOCS = "https://airflow.apache.org/docs"
_OPERATORS = """
nexus transactions orders transfers customers mails documents plan files reconcile lakehouse compliance
""".split()  # noqa: SIM905 - a list of twelve quoted words reads worse
_KEY, _CALLS = "Environment, writes, key expiry", "Calls, portal, hash secret"
"""The folds of the form, which show at once where the environment is chosen. Airflow unfolds none of them by itself."""
_FIELDS: dict[str, object] = {
    "environment": {
        "label": "Environment",
        "description": "Where the API key was made. Test: https://api.test.casp.quantoznexus.com. "
        "Production: https://api.quantoznexus.com. A base URL wins over it. The key is of a Service Account with roles; "
        "the Identity portal shows it once.",
        "schema": {
            "section": _KEY,
            "type": ["string", "null"],
            "enum": ["test", "production"],
            "values_display": {"test": "Test", "production": "Production (live money)"},
            "default": "test",
        },
    },
    "allow_writes": {
        "label": "Allow writes",
        "description": "Let tasks change things in Nexus: orders, transfers, payouts, customers. Off: reading only.",
        "schema": {"section": _KEY, "type": ["boolean", "null"], "default": False},
    },
    "key_expires": {
        "label": "Key expires",
        "description": "The expiry date that the key got in the Identity portal, under Manage API Keys: its last day. "
        "Tasks and the connection's test warn in time. Nothing is refused for it.",
        "schema": {"section": _KEY, "type": ["string", "null"], "format": "date", "default": None},
    },
    "key_warning_days": {
        "label": "Warn before",
        "description": "Days before the API key expires from which on tasks warn, 0 to 3650. 0: only when it has expired.",
        "schema": {"section": _KEY, "type": ["integer", "null"], "minimum": 0, "maximum": 3650, "default": 14},
    },
    "timeout": {
        "label": "Read timeout",
        "description": "Seconds to wait for the next piece of an answer, 1 to 600. The whole answer has four times as long.",
        "schema": {"section": _CALLS, "type": ["number", "null"], "minimum": 1, "maximum": 600, "default": 30},
    },
    "retries": {
        "label": "Retries",
        "description": "How often a call that is safe to repeat is sent again, 0 to 10.",
        "schema": {"section": _CALLS, "type": ["integer", "null"], "minimum": 0, "maximum": 10, "default": 5},
    },
    "rate_limit": {
        "label": "Rate limit",
        "description": "Calls a second that all tasks of a machine make together, 0.1 to 1000. Empty: no limit.",
        "schema": {"section": _CALLS, "type": ["number", "null"], "minimum": 0.1, "maximum": 1000, "default": None},
    },
    "rate_limit_conn_id": {
        "label": "Rate limit shared by",
        "description": "Connection of type redis, by whose server all machines share the rate limit. Empty: each has its own.",
        "schema": {"section": _CALLS, "type": ["string", "null"], "default": None},
    },
    "max_answer_mb": {
        "label": "Largest answer",
        "description": "Megabytes that one answer may have at most, 1 to 1024. A larger one is refused.",
        "schema": {"section": _CALLS, "type": ["integer", "null"], "minimum": 1, "maximum": 1024, "default": 64},
    },
    "portal_url": {
        "label": "Portal URL",
        "description": "How addresses of your Nexus portal look, such as https://portal.example.com/{resource}/{code}. "
        "Tasks then link to their record.",
        "schema": {"section": _CALLS, "type": ["string", "null"], "default": None},
    },
    "hash_secret": {
        "label": "Hash secret",
        "description": "What personal data is hashed with on its way into files and tables, at least 16 characters. "
        "A new secret changes every hash.",
        "schema": {"section": _CALLS, "type": ["string", "null"], "format": "password", "default": None},
    },
}
"""The fields that a connection has beside Airflow's own, as its form shows them."""
_PATHS: dict[str, object] = {
    "description": "Folders that all workers have in common, with commas between. Where the executor runs tasks on "
    "several machines, other local paths are warned of, or refused where tasks have to share what is stored there.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "/mnt/nexus,/mnt/reports",
    "default": "",
}


def get_provider_info() -> dict[str, object]:
    """Name, modules, connection form and command line of the provider, as Airflow's provider schema wants them."""
    return {
        "package-name": "airflow-provider-nexus",
        "name": _NEXUS,
        "description": "Proved syncs, exact money and an offline sandbox for `Quantoz Nexus <https://www.quantoz.com/>`__\n",
        "integrations": [
            _integration(_NEXUS, "https://docs.quantoznexus.com", "service"),
            _integration(_STORAGE, f"{_AIRFLOW_DOCS}/apache-airflow/stable/core-concepts/objectstorage.html", "software"),
            _integration(_DATABASE, f"{_AIRFLOW_DOCS}/apache-airflow-providers-common-sql/stable/index.html", "software"),
        ],
        "config": {"nexus": {"description": "Settings of the provider of Quantoz Nexus.", "options": {"shared_paths": _PATHS}}},
        "connection-types": [
            {
                "connection-type": "nexus",
                "hook-class-name": "airflow_provider_nexus.hooks.nexus.NexusHook",
                "hook-name": _NEXUS,
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "schema", "port", "extra"],
                    "relabeling": {"password": "API token", "host": "Base URL"},
                    "placeholders": {
                        "password": "API key of a Service Account, of the environment below",
                        "host": "for a sandbox or a host that Quantoz gave you; wins over the environment",
                    },
                },
                "conn-fields": _FIELDS,
            }
        ],
        "hooks": [_modules("hooks.nexus")],
        "operators": [_modules(*(f"operators.{name}" for name in _OPERATORS))],
        "sensors": [_modules("sensors.nexus")],
        "triggers": [_modules("triggers.nexus")],
        "transfers": [_transfer(_STORAGE, "nexus_to_object_storage"), _transfer(_DATABASE, "nexus_to_sql")],
        "asset-uris": [
            {
                "schemes": ["nexus"],
                "handler": "airflow_provider_nexus.assets.nexus.sanitize_uri",
                "factory": "airflow_provider_nexus.assets.nexus.create_asset",
                "to_openlineage_converter": "airflow_provider_nexus.assets.nexus.convert_asset_to_openlineage",
            }
        ],
        "extra-links": [
            "airflow_provider_nexus.links.nexus.NexusPortalLink",
            "airflow_provider_nexus.links.nexus.NexusReportLink",
        ],
        "cli": ["airflow_provider_nexus.cli.definition.get_nexus_cli_commands"],
    }


def _integration(name: str, url: str, tag: str) -> dict[str, object]:
    return {"integration-name": name, "external-doc-url": url, "tags": [tag]}


def _modules(*names: str) -> dict[str, object]:
    return {"integration-name": _NEXUS, "python-modules": [f"airflow_provider_nexus.{name}" for name in names]}


def _transfer(target: str, module: str) -> dict[str, object]:
    module = f"airflow_provider_nexus.transfers.{module}"
    return {"source-integration-name": _NEXUS, "target-integration-name": target, "python-module": module}
