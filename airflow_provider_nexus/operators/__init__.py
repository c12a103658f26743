"""Airflow operators for Nexus."""
