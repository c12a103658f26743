"""A mail server on 127.0.0.1 that keeps what it takes, and misbehaves when told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message


@dataclass
class Taken:
    """One mail with its envelope."""

    recipients: list[str]
    message: Message


@dataclass
class MailServer:
    """What a mail server took.

    :param refused: addresses that it refuses
    :param silent_after: addresses after whose mail it takes the mail and hangs up without an answer
    """

    port: int = 0
    refused: set[str] = field(default_factory=set)
    silent_after: set[str] = field(default_factory=set)
    taken: list[Taken] = field(default_factory=list)


class _Talk(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say("220 ready")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                address = line[line.index("<") + 1 : line.index(">")]
                refused = address in self.server.known.refused
                recipients += [] if refused else [address]
                self._say(f"550 no {address} here" if refused else "250 ok")
            elif verb == "DATA":
                if not self._take(recipients):
                    return
                recipients = []
            else:
                self._say("250 ok")

    def _take(self, recipients: list[str]) -> bool:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line.removeprefix("."))
        self.server.known.taken.append(Taken(recipients, message_from_string("".join(lines))))
        if self.server.known.silent_after & set(recipients):
            return False
        self._say("250 taken")
        return True

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, known: MailServer) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.known = known


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server for as long as the block lasts."""
    known = MailServer()
    with _Server(known) as server:
        known.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield known
        server.shutdown()
