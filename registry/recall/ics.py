"""The calendar file of an invitation (RFC 5545, RFC 5546), and its place in a mail.

Calendars are shared more widely than mailboxes: neither number nor name of a visit stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from django.core.mail import EmailMultiAlternatives
from icalendar import Calendar, Event, vCalAddress

from .calendar import Method

# The registry knows when a visit begins. An entry without a length is hard to see.
LASTS = timedelta(hours=1)
STATUS = {Method.REQUEST: "CONFIRMED", Method.CANCEL: "CANCELLED"}


@dataclass(frozen=True)
class Entry:
    """All that a calendar is told of a visit, and by whom (``sender``) to whom (``recipient``).

    ``at`` is when the visit begins, ``stamped_at`` when this change of it was written down: an
    entry written again is the same.
    """

    method: Method
    uid: str
    sequence: int
    at: datetime
    stamped_at: datetime
    summary: str
    description: str
    location: str
    link: str
    sender: str
    recipient: str


@dataclass(frozen=True)
class File:
    """A calendar file, and the method that it asks for."""

    method: Method
    text: str


def write(entry: Entry) -> File:
    """The file that tells one recipient of one visit."""
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.stamped_at.astimezone(UTC))
    event.add("dtstart", entry.at.astimezone(UTC))
    event.add("duration", LASTS)
    event.add("summary", entry.summary)
    event.add("description", entry.description)
    event.add("location", entry.location)
    event.add("url", entry.link)
    event.add("organizer", _mailbox(entry.sender))
    event.add("attendee", _mailbox(entry.recipient, rsvp="FALSE"))
    event.add("status", STATUS[entry.method])
    event.add("transp", "OPAQUE")
    event.add("class", "PRIVATE")

    calendar = Calendar()
    calendar.add("prodid", "-//Saphena//Recall//EN")
    calendar.add("version", "2.0")
    calendar.add("method", entry.method.value)
    calendar.add_component(event)
    return File(entry.method, calendar.to_ical().decode())


def attach(message: EmailMultiAlternatives, file: File) -> None:
    """Put the file into a mail: once to be acted on, once to be saved.

    The second has a type of its own, or some mail programs would act on it too.
    """
    message.attach_alternative(file.text, f"text/calendar; method={file.method}")
    message.attach("visit.ics", file.text.encode(), "application/ics")


def _mailbox(mailbox: str, **about: str) -> vCalAddress:
    """``Name <address>`` or an address, as calendars write it."""
    name, address = parseaddr(mailbox)
    return vCalAddress(f"mailto:{address}", params={"CN": name, **about} if name else about)
