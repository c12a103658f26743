"""Airflow triggers for Nexus."""
