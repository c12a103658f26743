"""Lineage and metrics of syncs."""
