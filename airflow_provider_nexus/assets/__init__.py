"""Assets: the data that DAGs wait for and make."""
