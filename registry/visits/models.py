"""Visits, the state of every form, and the leg check."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Value, When
from django.utils.translation import gettext_lazy as _

from registry.access.models import SiteRecord, SiteRecords, User
from registry.core.dictionary import declared, kept
from registry.participants.models import Participant

from .contact import Contact as Contact
from .crf import FORMS
from .end import End as End
from .event import Event as Event
from .leg_check import LegCheck as LegCheck
from .rules import Status
from .schedule import CURRENT, PLANS, Asked, PlannedVisit

LIMBS = (("right", _("Right")), ("left", _("Left")))


class Visits(SiteRecords):
    """Visits with the status they have on a site's day."""

    def with_status(self, today: date) -> Visits:
        """Annotate ``status``: the same rule as :func:`.rules.status`, in SQL.

        A property test holds the two equal.
        """
        stopped = Participant.objects.with_consent().filter(
            pk=OuterRef("participant"), collection_stopped=True
        )
        forms = Count("entries", distinct=True)
        complete = Count("entries", filter=Q(entries__state__in=FormEntry.FINISHED), distinct=True)
        locked = Count("entries", filter=Q(entries__locked_at__isnull=False), distinct=True)
        return self.annotate(forms=forms, forms_complete=complete, forms_locked=locked).annotate(
            status=Case(
                When(
                    attended_on__isnull=False,
                    then=Case(
                        When(forms__gt=0, forms_locked=F("forms"), then=Value(Status.LOCKED)),
                        When(forms__gt=0, forms_complete=F("forms"), then=Value(Status.COMPLETE)),
                        default=Value(Status.ATTENDED),
                    ),
                ),
                When(~Q(missed_because=""), then=Value(Status.MISSED)),
                When(Exists(stopped), then=Value(Status.CANCELLED)),
                When(opens_on__gt=today, then=Value(Status.PLANNED)),
                When(closes_on__gte=today, then=Value(Status.DUE)),
                default=Value(Status.OVERDUE),
                output_field=models.CharField(),
            )
        )

    def outstanding(self) -> Visits:
        """Visits neither attended nor missed of participants whose collection goes on."""
        stopped = Participant.objects.with_consent().filter(
            pk=OuterRef("participant"), collection_stopped=True
        )
        return self.filter(attended_on__isnull=True, missed_because="").exclude(Exists(stopped))

    def overdue(self, today: date) -> Visits:
        return self.outstanding().filter(closes_on__lt=today)

    def due(self, today: date) -> Visits:
        return self.outstanding().filter(opens_on__lte=today, closes_on__gte=today)

    def coming(self, today: date, days: int) -> Visits:
        """Visits whose window opens within the next ``days``."""
        return self.outstanding().filter(
            opens_on__gt=today, opens_on__lte=today + timedelta(days=days)
        )


@declared("visit", "Visit")
class Visit(SiteRecord):
    """One visit of a participant: target, window, and what came of it."""

    participant = kept(
        models.ForeignKey(Participant, models.PROTECT, related_name="visits"), "withhold"
    )
    code = kept(models.CharField(max_length=12), "release", "Visit")
    plan_version = kept(models.CharField(max_length=10, default=CURRENT.version), "release")
    target_on = kept(models.DateField(), "date", "Target date")
    opens_on = kept(models.DateField(), "date", "Window opens")
    closes_on = kept(models.DateField(), "date", "Window closes")
    attended_on = kept(models.DateField(null=True, blank=True), "date", "Attended on")
    missed_because = kept(
        models.CharField(max_length=200, blank=True), "withhold", "Missed because"
    )
    booked_at = kept(models.DateTimeField(null=True, blank=True), "withhold")
    booked_place = kept(models.CharField(max_length=120, blank=True), "withhold")

    objects = Visits.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["target_on", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant", "code"], name="visit_code_once"),
            models.CheckConstraint(
                condition=Q(attended_on__isnull=True) | Q(missed_because=""),
                name="visit_attended_or_missed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "closes_on"],
                condition=Q(attended_on__isnull=True, missed_because=""),
                name="visit_outstanding",
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.code})"

    @property
    def planned(self) -> PlannedVisit:
        return PLANS[self.plan_version].visit(self.code)

    @property
    def label(self) -> str:
        number = self.code.partition("-")[2]
        return f"{self.planned.label} {number}".strip()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The forms asked at this visit, in the plan's order."""
        return PLANS[self.plan_version].forms(self.code, self.participant.arm)


class FormEntry(SiteRecord):
    """The state of one form of one visit (or participant), leg and occurrence.

    Common to every form of every room: state, draft (the only place a draft lives, outside
    history and datasets), revision for optimistic saving, lock.
    """

    class State(models.TextChoices):
        EMPTY = "empty", _("Not started")
        DRAFT = "draft", _("In progress")
        COMPLETE = "complete", _("Complete")
        VERIFIED = "verified", _("Verified")

    FINISHED = (State.COMPLETE, State.VERIFIED)
    unrecorded = ("draft", "draft_by", "draft_at", "state", "revision")

    participant = kept(
        models.ForeignKey(Participant, models.PROTECT, related_name="entries"), "withhold"
    )
    visit = kept(
        models.ForeignKey(Visit, models.PROTECT, null=True, related_name="entries"), "withhold"
    )
    form = kept(models.CharField(max_length=30), "release")
    limb = kept(models.CharField(max_length=5, choices=LIMBS, blank=True), "release", "Leg")
    occurrence = kept(models.CharField(max_length=12, blank=True), "release")
    state = kept(
        models.CharField(max_length=8, choices=State.choices, default=State.EMPTY), "withhold"
    )
    draft = kept(models.JSONField(null=True), "withhold")
    draft_by = kept(
        models.ForeignKey(User, models.PROTECT, null=True, related_name="+"), "withhold"
    )
    draft_at = kept(models.DateTimeField(null=True), "withhold")
    revision = kept(models.PositiveIntegerField(default=0), "withhold")
    locked_at = kept(models.DateTimeField(null=True), "withhold")
    locked_by = kept(
        models.ForeignKey(User, models.PROTECT, null=True, related_name="+"), "withhold"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant", "visit", "form", "limb", "occurrence"],
                nulls_distinct=False,
                name="entry_once",
            ),
            models.CheckConstraint(
                condition=Q(limb__in=["", "right", "left"]), name="entry_limb_possible"
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "draft_at"],
                condition=Q(draft__isnull=False),
                name="entry_with_draft",
            )
        ]

    @property
    def locked(self) -> bool:
        return self.locked_at is not None

    @property
    def place(self) -> str:
        """Which column of the section it is: the leg, the ulcer's label, or nothing."""
        return self.occurrence or str(dict(LIMBS).get(self.limb, ""))

    def record(self) -> Any:
        """The clinical row saved under this entry, or None."""
        return FORMS[self.form].model.objects.filter(entry=self).first()
