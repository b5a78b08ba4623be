"""What recall signs, so that no stranger can report a bounce or pause a mail."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from registry.access.models import Site, User

SALT = "registry.recall"
# A return address in any text. The host is not asked for: the seal says that it is ours.
RETURN = re.compile(r"\+(\d{1,19})\.([a-z2-7]{16})@", re.ASCII | re.IGNORECASE)
PAUSE = re.compile(r"(\d{1,19}\.\d{1,19}\.\d{1,7})\.([a-z2-7]{16})", re.ASCII)
PAUSE_LASTS = timedelta(days=90)


def seal(text: str) -> str:
    """Sixteen letters and digits that nobody else can put behind ``text``.

    80 bits of an HMAC in lower-case Base32, for mail servers may change an address's case.
    """
    return _seal(text, settings.SECRET_KEY)


def _seal(text: str, secret: str) -> str:
    digest = salted_hmac(SALT, text, secret=secret, algorithm="sha256").digest()
    return base64.b32encode(digest[:10]).decode().lower()


def _holds(text: str, given: str) -> bool:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(_seal(text, secret), given.lower()) for secret in secrets)


def return_address(delivery_id: int) -> str:
    """The envelope sender of a delivery, at most 64 octets before the ``@``.

    The common sender where no ``BOUNCE_ADDRESS`` is set.
    """
    if not settings.BOUNCE_ADDRESS:
        return settings.DEFAULT_FROM_EMAIL
    local, host = settings.BOUNCE_ADDRESS.split("@")
    return f"{local}+{delivery_id}.{seal(f'return {delivery_id}')}@{host}"


def deliveries_in(text: str) -> Iterator[int]:
    """The keys of the deliveries whose return address, with its seal, stands in ``text``."""
    for key, given in RETURN.findall(text):
        if _holds(f"return {int(key)}", given):
            yield int(key)


@dataclass(frozen=True)
class Pause:
    """What a link asks: no daily mail of the site to the user (keys), from the day it was made."""

    user: int
    site: int
    made_on: date

    @property
    def works(self) -> bool:
        return timezone.now().date() - self.made_on <= PAUSE_LASTS


def pause_link(user: User, site: Site) -> str:
    """The address that pauses the daily mails of ``site`` to ``user``, without a log-in.

    Short, since plain text that wraps an address breaks it; the same all day long.
    """
    named = f"{user.pk}.{site.pk}.{timezone.now().date().toordinal()}"
    token = f"{named}.{seal(f'pause {named}')}"
    return settings.SITE_URL.rstrip("/") + reverse("mail_pause", args=[token])


def read_pause(token: str) -> Pause | None:
    """What a link asks, also when it works no more; None when we did not make it."""
    found = PAUSE.fullmatch(token)
    if not found or not _holds(f"pause {found[1]}", found[2]):
        return None
    user, site, day = map(int, found[1].split("."))
    return Pause(user, site, date.fromordinal(day))
