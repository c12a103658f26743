"""Calls that change something. What they write is kept in memory and gone after a reset."""

from __future__ import annotations
