"""Records that were put aside, tried again with the catalogue as it is now."""
