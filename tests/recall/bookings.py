"""Appointments, the tick that tells calendars of them, and its mails as clients read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from email.message import EmailMessage

from icalendar import Calendar, Event

from registry.access.models import User
from registry.access.scope import user_scope
from registry.recall import actions
from registry.visits.actions import book_visit, cancel_booking

from .. import build
from .scene import noon, outstanding, send_waiting


def at(site, days, hour=10):
    """A time on the site's clock, days from its today."""
    return datetime.combine(site.today + timedelta(days=days), time(hour), site.zone)


def book(by, visit, days=5, hour=10, place="Room 4"):
    with user_scope(by):
        book_visit(by=by, visit=visit, at=at(build.site_of(by), days, hour), place=place)


def unbook(by, visit):
    with user_scope(by):
        cancel_booking(by=by, visit=visit)


def booked(by, **about):
    """An outstanding visit with an appointment in five days."""
    visit = outstanding(by, opens=-3, closes=60, **about)
    book(by, visit)
    return visit


def invite(site, days=0):
    """What a tick writes down for calendars, at noon of the site's today or ``days`` later."""
    by = User.objects.system("recall")
    return actions.invite(by=by, site=site, now=noon(site, days))


def send(site, days=0):
    return send_waiting(site, noon(site, days))


def tick(site, days=0):
    """How many changes were written down, and what became of each mail."""
    return invite(site, days), send(site, days)


@dataclass(frozen=True)
class Mail:
    """One mail with an invitation, as its recipient's programs read it."""

    to: str
    message: EmailMessage
    calendar: Calendar
    event: Event

    @property
    def said(self):
        """Method and SEQUENCE."""
        return str(self.calendar["METHOD"]), self.event["SEQUENCE"]


def mails(sink):
    return [_read(address, message) for address, message, _raw in sink.mails]


def _read(address, message):
    (part,) = [one for one in message.walk() if one.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    (event,) = calendar.walk("VEVENT")
    return Mail(address, message, calendar, event)
