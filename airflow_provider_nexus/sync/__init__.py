"""A run: one window, or all changes since the last one."""
