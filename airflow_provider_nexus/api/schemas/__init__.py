"""The fields of every Nexus resource: wire name, kind, meaning, unit, personal data or not."""
