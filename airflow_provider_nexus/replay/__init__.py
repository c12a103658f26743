"""Replay: rejected records, tried again with the catalogue as it is now."""
