"""How a window is read completely, proved and published. No Airflow."""
