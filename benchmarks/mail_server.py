"""A mail server and plain senders, each a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import smtplib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from aiosmtpd.controller import Controller

_processes = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Mail:
    """A mail as the server got it, ``at`` its moment on the clock of :func:`time.monotonic`."""

    at: float
    sender: str
    recipient: str
    content: bytes


class _Taking:
    """Takes every mail, ``delay`` seconds after it has come."""

    def __init__(self) -> None:
        self.delay, self.mails = 0.0, list[Mail]()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.delay:
            await asyncio.sleep(self.delay)
        (recipient,) = envelope.rcpt_tos
        content = envelope.original_content
        self.mails.append(Mail(time.monotonic(), envelope.mail_from, recipient, content))
        return "250 OK"


class Server:
    """The mail server, on a port of 127.0.0.1; start it before there are any connections."""

    def __init__(self) -> None:
        self.port = free_port()
        self._ours, theirs = _processes.Pipe()
        _processes.Process(target=_serve, args=(self.port, theirs), daemon=True).start()
        assert self._ours.recv() == "ready"

    def answer_after(self, delay: float) -> None:
        self._ours.send(("delay", delay))

    def count(self) -> int:
        """How many mails have come since they were last taken out."""
        self._ours.send(("count", None))
        return int(self._ours.recv())

    def take(self) -> list[Mail]:
        """The mails that have come."""
        self._ours.send(("take", None))
        mails: list[Mail] = self._ours.recv()
        return mails


def _serve(port: int, theirs: Connection) -> None:
    held = _Taking()
    Controller(held, hostname="127.0.0.1", port=port).start()
    theirs.send("ready")
    while True:
        word, value = theirs.recv()
        if word == "delay":
            held.delay = value
        elif word == "count":
            theirs.send(len(held.mails))
        else:
            theirs.send(held.mails)
            held.mails = []


class PlainSenders:
    """Processes that do nothing but ``smtplib.SMTP.sendmail``, each over one connection."""

    def __init__(self, number: int, port: int) -> None:
        self._pipes = []
        for _each in range(number):
            ours, theirs = _processes.Pipe()
            _processes.Process(target=_send, args=(port, theirs), daemon=True).start()
            self._pipes.append(ours)

    def give(self, mails: Sequence[Mail]) -> None:
        """Deal ``mails`` out; they go at :meth:`go`."""
        for number, pipe in enumerate(self._pipes):
            pipe.send(
                [(m.sender, m.recipient, m.content) for m in mails[number :: len(self._pipes)]]
            )
            assert pipe.recv() == "ready"

    def go(self) -> None:
        for pipe in self._pipes:
            pipe.send("go")


def _send(port: int, theirs: Connection) -> None:
    while True:
        mails = theirs.recv()
        theirs.send("ready")
        theirs.recv()
        with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as connection:
            for sender, recipient, content in mails:
                connection.sendmail(sender, [recipient], content)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
