"""What is asked about a visit itself: its day, its appointment, why it is missed, its forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from registry.core.dictionary import Item, date, multi, text
from registry.core.forms import Clock, ItemsForm
from registry.participants.models import Participant

from .models import Visit

ATTEND = {"visit_on": date("Date of the visit", required=True, absence=False).item}
CORRECT = ATTEND | {
    "reason": text("Reason for the correction", required=True, absence=False, one_line=True).item
}
MISS = {"because": text("Why the visit was missed", required=True, absence=False).item}
EXPECT = {
    "reason": text(
        "Why the visit is expected again", required=True, absence=False, one_line=True
    ).item
}
BOOK = {
    "day": date("Day of the appointment", required=True, absence=False).item,
    "time": text("Time", required=True, absence=False, one_line=True).item,
    "place": text("Place", absence=False, one_line=True).item,
}


def form_of(visit: Visit, name: str, data: Any = None) -> ItemsForm:
    """The form of that name about ``visit``: attend, correct, miss, expect, book or add."""
    items: dict[str, Mapping[str, Item]] = {
        "attend": ATTEND,
        "correct": CORRECT,
        "miss": MISS,
        "expect": EXPECT,
        "book": BOOK,
        "add": forms_to_choose(visit),
    }
    site = visit.participant.site
    initial: dict[str, str] = {}
    if name == "correct" and visit.attended_on:
        initial = {"visit_on": visit.attended_on.isoformat()}
    if name == "book" and (booked := visit.booked_local):
        initial = {
            "day": f"{booked:%Y-%m-%d}",
            "time": f"{booked:%H:%M}",
            "place": visit.booked_place,
        }
    return ItemsForm(
        items[name], Clock(site.today, order=site.date_order), data=data, initial=initial
    )


def forms_of(visit: Visit) -> dict[str, ItemsForm]:
    """The forms that make sense as the visit is now, by name."""
    if visit.attended_on:
        names = ["correct", *(["add"] if visit.addable else [])]
    elif visit.missed_because:
        names = ["attend", "expect"]
    elif visit.cancelled_on:
        names = []
    else:
        names = ["attend", "book", "miss"]
    return {name: form_of(visit, name) for name in names}


def unscheduled_form(participant: Participant, data: Any = None) -> ItemsForm:
    """The day of an unscheduled visit, and the forms to be asked at it."""
    site = participant.site
    visit = Visit(participant=participant, code="UNS-0", attended_on=site.today)
    choose = forms_to_choose(visit)
    choose["forms"] = replace(choose["forms"], required=False)
    return ItemsForm(ATTEND | choose, Clock(site.today, order=site.date_order), data=data)


def forms_to_choose(visit: Visit) -> dict[str, Item]:
    """One item with a box for each form that may be asked beyond the plan's."""
    choices = [(kind.code, kind.text) for kind in visit.addable]
    return {"forms": multi("Forms", choices, required=True, absence=False).item}
