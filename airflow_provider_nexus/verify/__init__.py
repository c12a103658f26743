"""Verification: whether copies still are what was stored, and what Nexus has now."""
