"""A reading: what one reader saw on the films of one leg at one visit."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Case, IntegerField, Q, SmallIntegerField, Value, When
from django.db.models.lookups import GreaterThanOrEqual

from registry.access.models import SiteRecord, User
from registry.access.roles import Permission
from registry.core.dictionary import Kind, choice, declared, derived, kept, number, yes_no

from .xray import Xray
from .zones import ZONES, zone_label

PRESENT = {"calcification": "present"}
ZONE_STATES = ("absent", "present", ("not_assessable", "not assessable"))
CALCIFICATION = ("present", "absent", ("not_assessable", "not assessable"))


def _zones_present() -> Any:
    total: Any = Value(0)
    for zone in ZONES:
        total += Case(
            When(**{zone: "present"}, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
    return total


def _zone(name: str) -> Any:
    return choice(zone_label(name), ZONE_STATES, absence=False)


@declared("reading", "X-ray reading")
class Reading(SiteRecord):
    """One read by one reader. Independent reads never show one another."""

    site_from = "xray"
    web_grants = "SELECT, INSERT"  # a submitted reading stands
    # It names its reader, and a reader may have a role at a site.
    history_needs = Permission.MANAGE_DATA

    xray = kept(models.ForeignKey(Xray, models.PROTECT, related_name="readings"), "withhold")
    reader = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "group", "Reader")
    read_no = kept(models.PositiveSmallIntegerField(default=1), "release", "Number of the read")
    read_on = kept(models.DateField(), "date", "Read on")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    mode = choice("Mode", ["independent", "paired"], required=True, absence=False)
    quality = choice(
        "Quality of the film",
        ["good", "limited", "unreadable"],
        ordered=True,
        required=True,
        absence=False,
    )
    calcification = choice("Calcification", CALCIFICATION, required=True, absence=False)
    pattern = choice(
        "Pattern",
        ["punctate", "trabecular", "reticular", "amorphous", "plate", "other"],
        required=True,
        when=PRESENT,
        absence=False,
    )
    zone_proximal_medial = _zone("zone_proximal_medial")
    zone_proximal_lateral = _zone("zone_proximal_lateral")
    zone_proximal_anterior = _zone("zone_proximal_anterior")
    zone_proximal_posterior = _zone("zone_proximal_posterior")
    zone_middle_medial = _zone("zone_middle_medial")
    zone_middle_lateral = _zone("zone_middle_lateral")
    zone_middle_anterior = _zone("zone_middle_anterior")
    zone_middle_posterior = _zone("zone_middle_posterior")
    zone_distal_medial = _zone("zone_distal_medial")
    zone_distal_lateral = _zone("zone_distal_lateral")
    zone_distal_anterior = _zone("zone_distal_anterior")
    zone_distal_posterior = _zone("zone_distal_posterior")
    largest_mm = number(
        "Largest deposit, at the detector",
        unit="mm",
        possible=(0, 300),
        places=1,
        when=PRESENT,
        absence=False,
    )
    phlebolith = yes_no("Phlebolith", absence=False)
    arterial_calcification = yes_no("Arterial calcification", absence=False)
    periosteal_reaction = yes_no("Periosteal reaction", absence=False)
    ossification_suspected = yes_no("Ossification suspected", absence=False)
    foreign_body = yes_no("Foreign body", absence=False)
    dressing_artefact = yes_no("Dressing artefact", absence=False)
    # Registry-defined scale: 0 none, 1 one zone, 2 two or three, 3 four or more (forms.md).
    extent = derived(
        "Extent",
        Case(
            When(calcification="absent", then=Value(0)),
            When(~Q(calcification="present"), then=Value(None)),
            When(GreaterThanOrEqual(_zones_present(), 4), then=Value(3)),
            When(GreaterThanOrEqual(_zones_present(), 2), then=Value(2)),
            When(GreaterThanOrEqual(_zones_present(), 1), then=Value(1)),
        ),
        SmallIntegerField(null=True),
        kind=Kind.SCORE,
        possible=(0, 3),
    )

    class Meta:
        ordering = ["xray", "read_no"]
        constraints = [
            models.UniqueConstraint(
                fields=["xray", "reader", "read_no"], name="reading_once_a_reader"
            )
        ]
