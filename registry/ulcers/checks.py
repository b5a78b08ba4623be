"""Checks across ulcers, their assessments and the leg checks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from django.utils.translation import gettext as _

from registry.core.dates import show_date
from registry.quality import checks as quality
from registry.quality.checks import Located
from registry.visits.models import FormEntry, LegCheck

from . import rules
from .assessment import UlcerAssessment
from .ulcer import Ulcer


@quality.register
def leg_checks_agree_with_ulcers(participant_no: int) -> Iterator[Located]:
    """ "Any open ulcer" against the ulcers assessed on that leg at that visit.

    A "yes" is asked about only once every ulcer of the leg has been assessed there.
    """
    assessments = UlcerAssessment.objects.filter(entry__participant=participant_no)
    open_at = {
        (one.entry.visit_id, one.entry.limb): one.entry.occurrence
        for one in assessments.filter(ulcer_status="open").select_related("entry")
    }
    unfinished = set(
        FormEntry.objects.filter(participant=participant_no, form="ulcers")
        .exclude(state__in=FormEntry.FINISHED)
        .values_list("visit", "limb")
    )
    checks = LegCheck.objects.filter(
        entry__participant=participant_no, any_open_ulcer__isnull=False
    )
    for check in checks.select_related("entry__visit__participant"):
        place = check.entry.visit_id, check.entry.limb
        if check.any_open_ulcer:
            asked = {asked.form for asked in check.entry.visit.asked}
            if "ulcers" in asked and place not in open_at and place not in unfinished:
                message = _(
                    "The leg check says there is an open ulcer, but none is recorded open on"
                    " this leg at this visit."
                )
                yield _about_leg_check(check, "open_ulcer_missing", message)
        elif place in open_at:
            message = _(
                "The leg check says there is no open ulcer, but ulcer %(label)s is recorded open"
                " at this visit."
            )
            yield _about_leg_check(check, "open_ulcer_denied", message % {"label": open_at[place]})


def _about_leg_check(check: LegCheck, rule: str, message: str) -> Located:
    return Located(check._meta.label_lower, check.pk, "any_open_ulcer", rule, message)


@quality.register
def one_area_method_an_ulcer(participant_no: int) -> Iterator[Located]:
    """Areas by different methods cannot be compared (``domain.md`` B5)."""
    for ulcer in Ulcer.objects.filter(participant=participant_no).with_assessments():
        for earlier, later in pairwise(rules.measured(ulcer.assessed)):
            if rules.method(earlier) != rules.method(later):
                yield Located(
                    UlcerAssessment._meta.label_lower,
                    later.pk,
                    "area_method",
                    "area_method_changed",
                    _(
                        "The area of ulcer %(label)s was measured by another method on %(day)s:"
                        " the two cannot be compared."
                    )
                    % {"label": ulcer.label, "day": show_date(earlier.assessed_on)},
                )
