"""Buttons on a task in Airflow's user interface."""
