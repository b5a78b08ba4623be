"""Reads the cases of the Tokoro report from the captured records."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db.models import F, Max

from registry.crfs.models import Ceap
from registry.imaging.models import Reading
from registry.imaging.rules import final_grade
from registry.participants.models import Participants
from registry.participants.rules import disease_duration_years
from registry.visits.schedule import BASELINE

from .tokoro import Case, Grade, worst_leg


def baseline_cases(participants: Participants) -> list[Case]:
    """CVI participants and controls among ``participants``, each at baseline by the worst leg."""
    asked = participants.filter(arm__in=["cvi", "control"]).order_by()
    baseline = {"entry__participant__in": asked.values("pk"), "entry__visit__code": BASELINE}
    classes = dict(
        Ceap.objects.filter(**baseline)
        .values_list("entry__participant")
        .annotate(Max("clinical_1994"))
        .order_by()
    )
    grades = _final_grades({f"xray__{path}": value for path, value in baseline.items()})
    rows = asked.values_list(
        "pk", "arm", "sex", "age_at_enrolment", "onset_year", "onset_month", "enrolled_on"
    )
    cases = []
    for pk, arm, sex, age, onset_year, onset_month, enrolled_on in rows.iterator():
        calcification, pattern = worst_leg(grades.get(pk, ()))
        duration = None
        if onset_year is not None:
            # The onset is known to the month at best, so hundredths of a year say enough.
            month = None if onset_month is None else int(onset_month)
            duration = round(disease_duration_years(onset_year, month, enrolled_on), 2)
        cases.append(
            Case(
                arm=arm,
                sex=sex,
                age=age,
                duration=duration,
                ceap=classes.get(pk),
                calcification=calcification,
                pattern=pattern,
            )
        )
    return cases


def _final_grades(baseline: dict[str, Any]) -> dict[int, list[Grade]]:
    """Calcification and pattern of each leg that has a final grade, by participant."""
    rows = (
        Reading.objects.filter(**baseline)
        .order_by("xray", "read_no")
        .annotate(participant_no=F("xray__entry__participant"))
        .only("xray", "mode", "read_no", "calcification", "pattern")
    )
    grades: dict[int, list[Grade]] = defaultdict(list)
    for _, readings in groupby(rows.iterator(), key=attrgetter("xray_id")):
        if grade := final_grade(readings):
            grades[grade.participant_no].append((grade.calcification, grade.pattern))
    return grades
