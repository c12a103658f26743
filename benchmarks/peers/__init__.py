"""Other ways to read the same records, each run in an environment of its own that the file beside it pins."""
