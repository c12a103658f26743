"""A mail server on 127.0.0.1 that keeps what it takes, and misbehaves when told to."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message

import pytest

TEXT = "TEXT"
"""Stands for the end of a mail's text among the verbs."""


@dataclass
class Taken:
    """One mail with its envelope."""

    sender: str
    recipients: list[str]
    data: bytes

    @property
    def message(self) -> Message:
        return message_from_bytes(self.data)


@dataclass
class MailServer:
    """What a mail server took.

    :param refused: addresses that it refuses
    :param silent_after: addresses after whose mail it takes the mail and hangs up without an answer
    :param hangs_up_at: verb that it answers by hanging up, ``TEXT`` among them
    :param answers: what it says to a verb instead of yes
    :param offers_utf8: whether it offers SMTPUTF8
    :param verbs: what it was told
    """

    port: int = 0
    refused: set[str] = field(default_factory=set)
    silent_after: set[str] = field(default_factory=set)
    hangs_up_at: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    offers_utf8: bool = False
    taken: list[Taken] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)


class _Talk(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        known, sender, recipients = self.server.known, "", list[str]()
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            address = line[line.index("<") + 1 : line.index(">")] if "<" in line else ""
            known.verbs.append(verb)
            if verb == known.hangs_up_at:
                return
            if verb in known.answers:
                self._say(known.answers[verb])
            elif verb == "EHLO":
                self._say(f"250-here\r\n250-8BITMIME\r\n250{'-SMTPUTF8' if known.offers_utf8 else '-SIZE'}\r\n250 SIZE 9999999")
            elif verb == "MAIL":
                sender, recipients = address, []
                self._say("250 ok")
            elif verb == "RCPT":
                recipients += [] if address in known.refused else [address]
                self._say(f"550 no {address} here" if address in known.refused else "250 ok")
            elif verb != "DATA":
                self._say("250 ok")
            elif not self._take(sender, recipients):
                return

    def _take(self, sender: str, recipients: list[str]) -> bool:
        known, lines = self.server.known, []
        self._say("354 go on")
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        known.verbs.append(TEXT)
        if TEXT not in known.answers:
            known.taken.append(Taken(sender, recipients, b"".join(lines)))
        if known.hangs_up_at == TEXT or known.silent_after & set(recipients):
            return False
        self._say(known.answers.get(TEXT, "250 taken"))
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
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield known
        server.shutdown()


@contextmanager
def post_office() -> Iterator[MailServer]:
    """A server, and the connection ``smtp_default`` to it whose sender is ``broker@example.org``."""
    with pytest.MonkeyPatch.context() as patch, mail_server() as server:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "broker@example.org"}
        stored = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.port, "extra": extra}
        patch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(stored))
        yield server
