"""Airflow transfers that bring Nexus data elsewhere."""
