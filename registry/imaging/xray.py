"""The X-ray study of one leg at a visit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery, TextField, Value
from django.db.models.functions import MD5, Cast, Concat
from django.utils.translation import gettext as _

from registry.access.models import SiteRecords, User
from registry.access.roles import Permission
from registry.core.dates import show_date
from registry.core.dictionary import choice, date, multi, yes_no
from registry.core.findings import Finding, Level
from registry.participants.models import Consent, Participant
from registry.visits.crf import LimbCrf, crf

from .blinding import order_seed
from .rules import serves
from .zones import THIRDS, zones_seen

PERFORMED = {"performed": True}


class Xrays(SiteRecords):
    """Studies by what is still to be done with their films."""

    def films_without_grade(self, user: User) -> Self:
        """Studies at the sites of ``user`` that have films and no reading."""
        return self.visible_to(user).without_grade()

    def without_grade(self) -> Self:
        """Studies that have films and no reading."""
        from .models import Film, Reading  # they point at this table

        films = Film.objects.filter(xray=OuterRef("pk"))
        readings = Reading.objects.filter(xray=OuterRef("pk"))
        return self.filter(Exists(films), ~Exists(readings), performed=True)

    def to_read(self) -> Self:
        """Studies that a reader may read: every film checked, and consent as it is today."""
        from .models import Film

        unchecked = Film.objects.filter(xray=OuterRef("pk"), to_check=True)
        stopped = Participant.objects.with_consent().filter(
            pk=OuterRef("entry__participant"), collection_stopped=True
        )
        consents = Consent.objects.filter(
            screening=OuterRef("entry__participant__screening")
        ).order_by("-signed_on", "-id")
        return (
            self.without_grade()
            .filter(~Exists(unchecked), ~Exists(stopped))
            .annotate(films_allowed=Subquery(consents.values("allows_images")[:1]))
            .filter(films_allowed=True)
        )

    def in_order_for(self, reader: User) -> Self:
        """What ``reader`` still has to read, shuffled the same way each time."""
        mixed = MD5(Concat(Value(order_seed(reader)), Cast("pk", TextField())))
        return self.visible_to(reader, Permission.READ_FILMS).to_read().order_by(mixed)


@crf("X-ray")
class Xray(LimbCrf):
    performed = yes_no("X-ray performed", required=True)
    purpose = choice("Purpose", ["study", "clinical"], required=True, when=PERFORMED)
    pregnancy_excluded = yes_no("Pregnancy excluded", required=True, when=PERFORMED)
    acquired_on = date("Film taken on", required=True, when=PERFORMED)
    views = multi(
        "Views",
        [
            ("ap", "AP"),
            ("pa", "PA"),
            "lateral",
            "oblique",
            ("not_stated", "not stated"),
        ],
        alone="not_stated",
        required=True,
        when=PERFORMED,
    )
    thirds_covered = multi("Thirds covered", THIRDS, required=True, when=PERFORMED)
    modality = choice(
        "Modality",
        [
            ("cr", "computed radiography"),
            ("dx", "digital radiography"),
            ("scanned_film", "scanned film"),
            "other",
        ],
        when=PERFORMED,
    )

    objects = Xrays.as_manager()  # type: ignore[misc]

    class Meta:
        indexes = [
            models.Index(
                fields=["site", "acquired_on"], condition=Q(performed=True), name="xray_by_day"
            )
        ]

    @property
    def zones_seen(self) -> frozenset[str]:
        """The zones that the study's views show; all of an unstated third or aspect."""
        return zones_seen(self.views or ["not_stated"], self.thirds_covered or list(THIRDS))

    def cross_checks(self) -> Iterator[Finding]:
        visit = self.entry.visit
        if self.acquired_on and not serves(self.acquired_on, visit.target_on, visit.closes_on):
            yield Finding(
                Level.INCONSISTENT,
                "acquired_on",
                _("A film of %(day)s does not serve this visit: its films are of %(days)s.")
                % {
                    "day": show_date(self.acquired_on),
                    "days": _("90 days before %(target)s to %(end)s")
                    % {
                        "target": show_date(visit.target_on),
                        "end": show_date(visit.closes_on),
                    },
                },
                "film_outside_visit",
            )
