"""Airflow sensors for Nexus."""
