"""What ends the course of an ulcer besides healing: the leg lost, or death.

Each is told in two places, by an event and by the leg check or the end of participation; the
earliest counts (``forms.md``, ``ulcer_outcome``; in datasets ``exports/worked_out.py``).
"""

from __future__ import annotations

from datetime import date

from django.db.models import Min

from .end import End
from .event import Event
from .follow_up import LEG_LOST_BY
from .leg_check import LegCheck


def legs_lost(participant_no: int) -> dict[str, date]:
    """Leg → the day on which it was first amputated, or seen amputated, below or above the knee."""
    events = Event.objects.filter(entry__participant=participant_no, kind__in=LEG_LOST_BY)
    checks = LegCheck.objects.filter(entry__participant=participant_no).exclude(
        leg_status="present"
    )
    told = [
        *events.values_list("limb", "occurred_on"),
        *checks.exclude(leg_status=None).values_list("entry__limb", "done_on"),
    ]
    lost: dict[str, date] = {}
    for limb, day in told:
        if limb and day:
            lost[limb] = min(day, lost.get(limb, day))
    return lost


def died_on(participant_no: int) -> date | None:
    """The day of death, by event or end of participation."""
    of_participant = {"entry__participant": participant_no}
    event = Event.objects.filter(**of_participant, kind="death").aggregate(day=Min("occurred_on"))
    end = End.objects.filter(**of_participant, reason="died").aggregate(day=Min("ended_on"))
    return min(filter(None, (event["day"], end["day"])), default=None)
