"""Delta copy: a table of Delta Lake, written without Spark."""
