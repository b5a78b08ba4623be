"""What the rules of CEAP and calcinosis depend on, read off the records of a leg."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from registry.imaging.models import Xray
from registry.imaging.rules import final_grade
from registry.imaging.zones import ZONES
from registry.ulcers import rules as ulcer_rules
from registry.ulcers.models import PastUlcer

from .biopsy import Biopsy
from .ceap import Ceap
from .examination import Examination
from .history import History
from .laboratory import Laboratory
from .local_damage import LocalDamage
from .other_imaging import OtherImaging
from .records import Records
from .rules import ceap as ceap_rules
from .rules.calcinosis import CONNECTIVE_TISSUE, Evidence, Measured, sample_for
from .rules.ceap import LegRecords
from .rules.treatment import may_have_begun, may_have_run
from .treatment import Treatment
from .venous_treatment import VenousTreatment

Found = tuple[date, bool, frozenset[str]]  # day, calcified, in which zones


# -- CEAP ------------------------------------------------------------------------------------


def leg_records(records: Records, ceap: Ceap) -> LegRecords:
    """What the records say of the leg on the day of a CEAP."""
    limb, on = ceap.entry.limb, ceap.done_on
    closed = []
    for ulcer in records.ulcers_of(limb):
        course = ulcer_rules.course(one for one in ulcer.assessed if one.assessed_on <= on)
        if course.healed_on or course.closed_on:
            closed.append(ulcer.label)
    before = [one for one in records.of(Ceap, limb) if one.clinical and one.done_on < on]
    previous = before[-1] if before else None
    return LegRecords(
        open_ulcers=records.open_venous_ulcers(limb, on),
        closed_ulcers=closed,
        past_ulcer=bool(records.rows(PastUlcer, limb)),
        venous_treatment=_venous_treatment(records, limb, on),
        previous_class=previous.clinical if previous else None,
        previous_place=previous.where if previous else "",
        treated_since=previous is not None and _treated(records, limb, previous.done_on, on),
    )


def _venous_treatment(records: Records, limb: str, on: date) -> bool:
    return any(
        row.year is None or row.year <= on.year for row in records.rows(VenousTreatment, limb)
    ) or any(
        row.kind in ceap_rules.VENOUS_TREATMENTS and may_have_begun(row.started_on, date.min, on)
        for row in records.rows(Treatment, limb)
    )


def _treated(records: Records, limb: str, after: date, until: date) -> bool:
    return any(
        may_have_begun(row.started_on, after, until) for row in records.rows(Treatment, limb)
    ) or any(
        row.year is not None and after.year <= row.year <= until.year
        for row in records.rows(VenousTreatment, limb)
    )


# -- calcinosis ------------------------------------------------------------------------------


def calcinosis_evidence(records: Records, limb: str, on: date) -> Evidence:
    """What is known of a leg's calcification up to the visit attended on the day ``on``."""
    films = list(_films(records, limb, on))
    found = [*films, *_other_evidence(records, limb, on)]
    calcified = [zones for _day, present, zones in found if present]
    # The laboratory's 90 days count from the film; without one that shows it, from what does.
    days = [day for day, present, _zones in films if present]
    film_on = max(days or [day for day, present, _zones in found if present], default=on)
    sample = sample_for(film_on, records.of(Laboratory))
    damages = [
        row for row in records.rows(LocalDamage, limb) if row.year is None or row.year <= on.year
    ]
    extravasations = [row.zones or [] for row in damages if row.kind == "extravasation"]
    treatments, histories = records.of(Treatment), records.of(History)
    ceaps = [one for one in records.of(Ceap, limb, until=on) if one.clinical]
    return Evidence(
        calcified=bool(calcified) if found else None,
        calcified_zones=frozenset().union(*calcified),
        vessel_wall_calcification=any(
            biopsy.vessel_wall_calcification for biopsy in records.of(Biopsy, limb, until=on)
        ),
        skin_necrosis=any(one.skin_necrosis for one in records.of(Examination, limb, until=on)),
        parenteral=any(
            row.kind == "parenteral_calcium_phosphate"
            and may_have_begun(row.started_on, date.min, on)
            for row in treatments
        ),
        extravasation_zones=frozenset[str]().union(*extravasations) - {"none"},
        calcium=_calcium(sample),
        phosphate=_measured(sample, "phosphate"),
        dialysis=any(one.dialysis for one in histories)
        or any(
            row.kind == "dialysis"
            and may_have_run(row.started_on, row.ongoing, row.stopped_on, film_on)
            for row in treatments
        ),
        local_damage=bool(damages),
        connective_tissue=any(
            getattr(one, disease) for one in histories for disease in CONNECTIVE_TISSUE
        ),
        advanced_cvi=bool(ceaps)
        and ceap_rules.advanced(ceaps[-1].clinical, records.skin_at(ceaps[-1])),
    )


def _films(records: Records, limb: str, on: date) -> Iterator[Found]:
    """The final grades of the leg's films at visits up to a day, those that could be judged."""
    for xray in records.of(Xray, limb):
        grade = final_grade(records.readings.get(xray.pk, []))
        if grade is None or xray.acquired_on is None or xray.entry.visit.attended_on > on:
            continue
        if grade.calcification in ("present", "absent"):
            zones = (zone for zone in ZONES if getattr(grade, zone) == "present")
            yield (
                xray.acquired_on,
                grade.calcification == "present",
                frozenset(zone.removeprefix("zone_") for zone in zones),
            )


def _other_evidence(records: Records, limb: str, on: date) -> Iterator[Found]:
    """Other imaging, biopsies, and what came out of the skin.

    That nothing came out excludes no calcification, so only an extrusion that was seen counts.
    """
    for imaging in records.of(OtherImaging, limb):
        if imaging.calcification and imaging.imaged_on and imaging.imaged_on <= on:
            zones = frozenset(imaging.zones or []) - {"none"}
            yield imaging.imaged_on, imaging.calcification == "present", zones
    for biopsy in records.of(Biopsy, limb):
        # Calcium in a vessel's wall is calcification too: with necrosis it makes calciphylaxis.
        found = (biopsy.calcium_deposits, biopsy.vessel_wall_calcification)
        if found != (None, None) and biopsy.taken_on and biopsy.taken_on <= on:
            yield biopsy.taken_on, any(found), frozenset(biopsy.location or [])
    for examination in records.of(Examination, limb, until=on):
        if examination.extruding_material:
            yield examination.done_on, True, frozenset()
    for ulcer in records.ulcers_of(limb):
        for one in ulcer.assessed:
            if one.extruded_calcium and one.assessed_on <= on:
                yield one.assessed_on, True, frozenset(ulcer.location)


def _calcium(sample: Laboratory | None) -> Measured | None:
    """The corrected calcium, or the total without albumin; the limits are the total's."""
    total = _measured(sample, "calcium_total")
    if total is None or sample is None or sample.calcium_corrected is None:
        return total
    return Measured(sample.calcium_corrected, "=", total.ref_high)


def _measured(sample: Laboratory | None, item: str) -> Measured | None:
    value = getattr(sample, item, None)
    if value is None:
        return None
    return Measured(
        value, getattr(sample, f"{item}_comparator") or "=", getattr(sample, f"{item}_ref_high")
    )
