"""Records as rows of a typed table: columns from the catalogue, values read exactly or not at all."""
