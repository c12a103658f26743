"""How Nexus is called: sessions, retries, typed errors. No Airflow."""
