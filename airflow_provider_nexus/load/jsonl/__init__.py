"""Copies in gzip JSON lines."""
