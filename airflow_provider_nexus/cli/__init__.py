"""The command line: `airflow nexus` and `python -m airflow_provider_nexus`."""
