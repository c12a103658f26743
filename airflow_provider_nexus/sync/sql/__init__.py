"""Copies of a resource in a SQL database, each load one transaction."""
