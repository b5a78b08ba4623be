"""A real SMTP server that keeps what it is given."""

from __future__ import annotations

import asyncio
import socket
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from config.celery import app
from registry.recall import tasks


class Sink:
    """Accepts every mail, unless ``answers`` (address → SMTP answer) says otherwise.

    ``refused`` (the same) answers before the mail is handed over; ``senders`` are the envelopes'.
    ``drops`` are accepted, but the connection ends before the answer. ``peers`` holds each mail's
    connection.
    """

    def __init__(self):
        self.mails, self.answers, self.before_accepting = [], {}, lambda: None
        self.refused, self.senders, self.drops, self.peers = {}, [], set(), []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if answer := self.refused.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        await asyncio.to_thread(self.before_accepting)
        (address,) = envelope.rcpt_tos
        self.peers.append(session.peer)
        if answer := self.answers.get(address):
            return answer
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((address, message, envelope.content))
        self.senders.append(envelope.mail_from)
        if address in self.drops:
            server.transport.abort()
        return "250 OK"

    @property
    def addresses(self):
        return sorted(address for address, _message, _raw in self.mails)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def sink(settings):
    held = Sink()
    held.port = free_port()
    controller = Controller(held, hostname="127.0.0.1", port=held.port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", held.port
    yield held
    controller.stop()


@pytest.fixture
def eager(monkeypatch):
    """Tasks run where they are queued, and in this thread."""
    monkeypatch.setattr(tasks, "one_ahead", map)
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    yield
    app.conf.update(task_always_eager=False, task_eager_propagates=False)
