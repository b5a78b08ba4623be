"""Requests and builds in words, for the pages of those who ask, decide and wait."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.utils import formats
from django.utils.translation import gettext, gettext_noop

from registry.access.models import Site

from . import rules
from .formats import FORMATS
from .models import DatasetRequest
from .profiles import PROFILES, Profile
from .tables import tables

STAGES = {
    "turn": gettext_noop("waiting for another dataset to be built"),
    "cut-off": gettext_noop("waiting for changes that are being saved"),
    "counting": gettext_noop("counting the rows to deliver"),
    "storing": gettext_noop("storing the file"),
}


def month(day: date) -> str:
    """Month and year of a day."""
    return formats.date_format(day, "YEAR_MONTH_FORMAT")


def stage(code: str, profile: Profile) -> str:
    """Where a build stands: a stage of its own, or the table or file that is being written."""
    if code in STAGES:
        return gettext(STAGES[code])
    if code in FORMATS:
        return gettext("writing %(format)s") % {"format": FORMATS[code].label}
    made, _colon, name = code.rpartition(":")
    labels = {table.name: table.label for table in tables(profile)}
    if name not in labels:
        return code
    if made in FORMATS:
        words = {"table": labels[name], "format": FORMATS[made].label}
        return gettext("writing “%(table)s” for %(format)s") % words
    return gettext("writing “%(table)s”") % {"table": labels[name]}


def choices(asked: DatasetRequest) -> list[tuple[str, str]]:
    """What a request asks for: (label, words) of each choice."""
    forms, arms, classes = rules.forms(), rules.arms(), rules.classes()
    every = gettext("all")
    return [
        (gettext("De-identification"), PROFILES[asked.profile].label),
        (gettext("Arms"), _joined(arms[code] for code in asked.arms)),
        (
            gettext("Sites"),
            _joined(Site.objects.filter(pk__in=asked.sites).values_list("name", flat=True))
            or every,
        ),
        (gettext("Enrolled"), _period(asked) or every),
        (
            gettext("CEAP class at baseline"),
            _joined(classes[str(code)] for code in asked.classes) or every,
        ),
        (
            gettext("Forms"),
            _joined(forms[code] for code in asked.forms)
            or gettext("none: participants and visits only"),
        ),
        (gettext("Formats"), _joined(FORMATS[code].label for code in asked.formats)),
    ]


def _period(asked: DatasetRequest) -> str:
    words = {
        "from": month(asked.enrolled_from or date.min),
        "to": month(asked.enrolled_to or date.max),
    }
    if asked.enrolled_from and asked.enrolled_to:
        return gettext("%(from)s to %(to)s") % words
    if asked.enrolled_from:
        return gettext("from %(from)s") % words
    return gettext("until %(to)s") % words if asked.enrolled_to else ""


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)
