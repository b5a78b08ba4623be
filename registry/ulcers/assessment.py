"""One look at one ulcer at a visit: the ``ulcers`` form, one column an open ulcer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, DecimalField, F, Value, When
from django.utils.translation import gettext as _

from registry.core.dates import show_date, span
from registry.core.dictionary import choice, date, derived, kept, number, score, text, yes_no
from registry.core.errors import RefusedError
from registry.visits.crf import Crf, FileItem, Place, crf

from .rules import State, course
from .ulcer import Ulcer

if TYPE_CHECKING:
    from registry.visits.models import Visit

OPEN, CLOSED = {"ulcer_status": "open"}, {"ulcer_status": "closed"}
AROUND_VISIT = timedelta(days=7)


class UlcerError(RefusedError):
    """An ulcer or its assessment cannot be written; the message says why."""


@crf("Ulcers", code="ulcers")
class UlcerAssessment(Crf):
    file_items = (FileItem("photos", "Photos"),)
    places_from = ("ulcers",)

    ulcer = kept(models.ForeignKey(Ulcer, models.PROTECT, related_name="assessments"), "withhold")
    assessed_on = date("Assessed on", required=True, absence=False)
    ulcer_status = choice(
        "State",
        ["open", ("closed", "closed: epithelialised, no drainage, no dressing needed"), "merged"],
        required=True,
        absence=False,
    )
    merged_into = text(
        "Merged into (label)",
        required=True,
        when={"ulcer_status": "merged"},
        absence=False,
        one_line=True,
    )
    closure_by = choice(
        "Closed by",
        [
            ("secondary_intention", "secondary intention"),
            "graft",
            ("other_surgery", "other surgery"),
        ],
        required=True,
        when=CLOSED,
    )
    length_mm = number("Length", unit="mm", possible=(1, 400), required=True, when=OPEN)
    width_mm = number("Width", unit="mm", possible=(1, 400), required=True, when=OPEN)
    area_method = choice(
        "Area measured by",
        [("ruler_ellipse", "ruler: π/4 × length × width"), "planimetry", "photo"],
        when=OPEN,
    )
    area_measured_mm2 = number(
        "Area, when measured by planimetry or photo",
        unit="mm²",
        possible=(1, 130_000),
        when={"area_method": ("planimetry", "photo")},
    )
    area_mm2 = derived(
        "Area",
        Case(
            When(area_method__in=["planimetry", "photo"], then=F("area_measured_mm2")),
            When(
                ulcer_status="open",
                then=F("length_mm") * F("width_mm") * Value(Decimal("0.785398")),
            ),
        ),
        DecimalField(max_digits=12, decimal_places=1, null=True),
        unit="mm²",
        places=1,
    )
    depth = choice(
        "Depth",
        [
            "superficial",
            ("full_thickness", "full thickness"),
            ("to_fascia_or_bone", "to fascia or bone"),
        ],
        ordered=True,
        when=OPEN,
    )
    exudate = choice("Exudate", ["none", "light", "moderate", "heavy"], ordered=True, when=OPEN)
    exudate_type = choice("Type of exudate", ["serous", "purulent", "bloody"], when=OPEN)
    infection = yes_no("Infection", when=OPEN)
    slough_percent = number("Slough", unit="%", possible=(0, 100), when=OPEN)
    extruded_calcium = yes_no("Extruded calcium (visible chalky or stony material)", required=True)
    calcium_palpable = yes_no("Calcium palpable")
    pain_nrs = score("Pain (0–10)", [str(step) for step in range(11)])

    class Meta:
        ordering = ["assessed_on", "id"]

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        """One column for each ulcer recorded by then and not healed or merged before."""
        if visit.attended_on is None:
            return
        ulcers = Ulcer.objects.filter(
            participant=visit.participant_id, recorded_on__lte=visit.attended_on
        )
        for ulcer in ulcers.prefetch_related("assessments"):
            before = [one for one in ulcer.assessed if one.assessed_on < visit.attended_on]
            if course(before).state not in (State.HEALED, State.MERGED):
                yield ulcer.limb, ulcer.label

    def before_saving(self) -> None:
        """Find the ulcer by the entry's label; refuse impossible days and mergers."""
        entry = self.entry
        self.ulcer = Ulcer.objects.get(participant=entry.participant_id, label=entry.occurrence)
        self._refuse_impossible_day()
        if self.ulcer_status == "merged":
            self._refuse_impossible_merger()

    def _refuse_impossible_day(self) -> None:
        on = self.assessed_on
        if on is None:
            raise UlcerError(_("Enter the day of the assessment."), "assessed_on")
        visit_on = self.entry.visit.attended_on
        if abs(on - visit_on) > AROUND_VISIT:
            raise UlcerError(
                _("The assessment must lie within %(days)s days of the visit (%(day)s).")
                % {"days": AROUND_VISIT.days, "day": show_date(visit_on)},
                "assessed_on",
            )
        if on < span(self.ulcer.onset_on).first:
            raise UlcerError(
                _("The assessment lies before the onset of ulcer %(label)s.")
                % {"label": self.ulcer.label},
                "assessed_on",
            )

    def _refuse_impossible_merger(self) -> None:
        self.merged_into = (self.merged_into or "").strip().upper()
        leg = Ulcer.objects.of_leg(self.entry.participant, self.ulcer.limb)
        other = leg.exclude(pk=self.ulcer.pk).filter(label=self.merged_into).first()
        if other is None:
            raise UlcerError(
                _("“%(label)s” is no other ulcer of this leg.") % {"label": self.merged_into},
                "merged_into",
            )
        if other.course().state == State.MERGED:
            raise UlcerError(
                _("Ulcer %(label)s was itself merged into %(into)s.")
                % {"label": other.label, "into": other.course().merged_into},
                "merged_into",
            )
