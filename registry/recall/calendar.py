"""Pure rule of invitations: what is told to calendars when a visit's appointment changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Method(StrEnum):
    """What a calendar is asked to do (RFC 5546): enter or change a visit, or take it out."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


@dataclass(frozen=True)
class Booking:
    """The appointment of a visit that is still expected: when it begins, and where."""

    at: datetime
    place: str = ""


@dataclass(frozen=True)
class Told:
    """What calendars are told of a visit: its booking, or None that there is none any more.

    ``sequence`` counts the changes of a visit from 0 (RFC 5545, SEQUENCE).
    """

    sequence: int
    booking: Booking | None

    @property
    def method(self) -> Method:
        return Method.REQUEST if self.booking else Method.CANCEL


def change(last: Told | None, now: Booking | None, moment: datetime) -> Told | None:
    """What to tell at ``moment`` after what was told ``last``; None when nothing has changed.

    ``now`` is None without an appointment, and when nobody is to come: the visit was attended,
    missed or cancelled, or the participant's contact, collection or participation has ended.
    Nobody is invited to what lies in the past, but what stands in calendars is put right.
    """
    before = last.booking if last else None
    if now == before or (before is None and now is not None and now.at <= moment):
        return None
    return Told(last.sequence + 1 if last else 0, now)
