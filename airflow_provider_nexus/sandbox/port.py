"""Ports of this machine: taken, or refused with what to do."""

from __future__ import annotations

import os
import socket


def bound(port: int, hint: str) -> socket.socket:
    """A socket on a port of this machine; where it can't be had, ``OSError`` with the hint what to do."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise OSError(f"port {port} can't be had ({why}): {hint}") from None
