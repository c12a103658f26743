"""Airflow hooks for Nexus."""
