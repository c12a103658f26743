"""Whether stored copies are still what was stored, and still what Nexus says."""
