"""Apache Airflow provider for Quantoz Nexus: proved syncs, polite waits, exact money."""

__version__ = "0.1.0"
