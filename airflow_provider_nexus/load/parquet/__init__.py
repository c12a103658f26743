"""Copies in Parquet files."""
