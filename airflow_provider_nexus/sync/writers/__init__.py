"""File formats that a window can be published in."""
