"""Changes in Nexus, each made once."""
