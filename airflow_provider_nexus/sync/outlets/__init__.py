"""Where a proved reading goes: folders of files, or the table of a copy."""
