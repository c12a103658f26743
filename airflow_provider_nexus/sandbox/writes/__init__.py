"""Calls that change something. What they write is in memory and lost with a reset."""
