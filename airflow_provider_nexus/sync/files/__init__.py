"""A copy of a resource in Parquet files."""
