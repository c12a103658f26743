"""What makes a walk stop and be begun again or done another way. Never leaves this package."""

from __future__ import annotations


class Doubt(Exception):  # noqa: N818 - it is no error of the caller's
    """The server's answers contradict each other; the text says how."""


class NotSortedDoubt(Doubt):
    """The server does not sort by the stamp as asked."""


class NotFilteredDoubt(Doubt):
    """The server does not filter by the stamp as asked."""
