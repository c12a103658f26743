"""Whether what a sync has stored is still what it stored."""
