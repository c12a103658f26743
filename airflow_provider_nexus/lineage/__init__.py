"""What Airflow and its neighbours are told of data that moves: lineage and metrics."""
