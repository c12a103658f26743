"""Reconciliation of what Nexus states at a moment with what proved records add up to."""
