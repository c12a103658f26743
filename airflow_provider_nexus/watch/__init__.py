"""Statuses of many records, and changes of a collection, found with few calls."""
