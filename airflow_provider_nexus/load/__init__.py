"""Records kept: in JSON lines, Parquet and SQL tables, with a manifest written last."""
