"""Collections read completely and proved."""
