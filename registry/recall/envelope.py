"""What a mail carries outside its letter: headers, and how its text is encoded."""

from __future__ import annotations

from email.charset import BASE64, QP, Charset
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from .models import Delivery, Digest


class FlatMail(EmailMultiAlternatives):
    """A mail that is put into the bytes that go before the mail server waits for them."""

    def flatten(self) -> None:
        """Call it when nothing of the mail changes any more."""
        written: Any = super().message()
        self._bytes: bytes = written.as_bytes(linesep="\r\n")

    def message(self) -> FlatMail:  # type: ignore[override]
        return self

    def as_bytes(self, **_how: object) -> bytes:
        """For mail backends, which ask the message for them."""
        return self._bytes


def headers_of(delivery: Delivery, pause: str) -> dict[str, str]:
    """The headers of a delivery; ``pause`` is its reader's own link, for a daily mail.

    Other mails cannot be paused, and so do not offer it.
    """
    headers = {
        "From": settings.DEFAULT_FROM_EMAIL,  # the envelope names the return address
        "Message-ID": delivery.message_id,
        "Auto-Submitted": "auto-generated",
        "List-Id": f"<{delivery.digest.site.prefix.lower()}.recall.{host()}>",
    }
    if delivery.digest.kind == Digest.Kind.DAILY:
        headers["List-Unsubscribe"] = f"<{pause}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def host() -> str:
    """The registry's own host name."""
    return urlsplit(settings.SITE_URL).hostname or "localhost"


def charset_of(text: str) -> Charset:
    """UTF-8 in seven bits and short lines, which every mail server takes and none rewrites.

    Quoted-printable, or Base64 where most letters are not of the Latin alphabet.
    """
    charset = Charset("utf-8")
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    charset.body_encoding = BASE64 if foreign > len(text) / 6 else QP
    return charset
