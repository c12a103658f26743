"""Copies in tables of a SQL database, each load one transaction."""
