"""Visits, the state of every form, and the leg check."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.access.days import Day
from registry.access.models import SiteRecord, SiteRecords, User
from registry.access.roles import Permission
from registry.audit.models import Signature
from registry.core.dates import show_moment
from registry.core.dictionary import Item, declared, kept
from registry.participants.models import Participant

from .attachment import Attachment as Attachment
from .contact import Contact as Contact
from .crf import FORMS, FileItem, FormKind, LogCrf
from .end import End as End
from .event import Event as Event
from .leg_check import LegCheck as LegCheck
from .rules import Status, Window, arm_followed, outside
from .schedule import NOT_ASKED_OF, PLANS, Asked, PlannedVisit, current_version

LIMBS = (("right", _("Right")), ("left", _("Left")))


def participation_ended(participant: str) -> Q:
    """Whether the participant named by that column of the outer query ended or died."""
    whose = {"entry__participant": OuterRef(participant)}
    died = Event.objects.filter(kind="death", **whose)
    return Q(Exists(End.objects.filter(ended_on__isnull=False, **whose))) | Q(Exists(died))


class Visits(SiteRecords):
    """Visits with the status they have on a site's day."""

    def with_status(self, today: Day) -> Visits:
        """Annotate ``status``: the same rule as :func:`.rules.status`, in SQL.

        ``today`` is a site's day, or each site's own (:class:`access.days.SiteDays`). A property
        test holds rule and annotation equal.
        """
        forms = Count("entries", distinct=True)
        complete = Count("entries", filter=Q(entries__state__in=FormEntry.FINISHED), distinct=True)
        signed = Count("entries", filter=Q(entries__signature__isnull=False), distinct=True)
        locked = Count("entries", filter=Q(entries__locked_at__isnull=False), distinct=True)
        return self.annotate(
            forms=forms, forms_complete=complete, forms_signed=signed, forms_locked=locked
        ).annotate(
            status=Case(
                When(
                    attended_on__isnull=False,
                    then=Case(
                        When(forms__gt=0, forms_locked=F("forms"), then=Value(Status.LOCKED)),
                        When(
                            forms__gt=0,
                            forms_complete=F("forms"),
                            forms_signed=F("forms"),
                            then=Value(Status.SIGNED),
                        ),
                        When(forms__gt=0, forms_complete=F("forms"), then=Value(Status.COMPLETE)),
                        default=Value(Status.ATTENDED),
                    ),
                ),
                When(~Q(missed_because=""), then=Value(Status.MISSED)),
                When(
                    Q(cancelled_on__isnull=False) | self._nothing_more(),
                    then=Value(Status.CANCELLED),
                ),
                When(opens_on__gt=today, then=Value(Status.PLANNED)),
                When(closes_on__gte=today, then=Value(Status.DUE)),
                default=Value(Status.OVERDUE),
                output_field=models.CharField(),
            )
        )

    def waiting_for_signature(self, user: Any) -> Visits:
        """Finished visits, not or not wholly signed, at the sites where ``user`` may sign."""
        return self.visible_to(user, Permission.SIGN).filter(to_sign=True)

    def outstanding(self) -> Visits:
        """Visits still to come of participants whose collection goes on."""
        return self.not_started().exclude(self._nothing_more())

    @staticmethod
    def _nothing_more() -> Q:
        """Whether nothing more is collected: consent withdrawn, or participation ended."""
        stopped = Participant.objects.with_consent().filter(
            pk=OuterRef("participant"), collection_stopped=True
        )
        return Q(Exists(stopped)) | participation_ended("participant")

    def not_started(self) -> Visits:
        """Visits neither attended nor missed nor cancelled."""
        return self.filter(attended_on__isnull=True, missed_because="", cancelled_on__isnull=True)

    def by_calendar(self) -> Visits:
        """The visits with a day of their own in the plan, which carry no number."""
        return self.exclude(code__contains="-")

    def of_kind(self, stem: str) -> Visits:
        """The numbered visits of one kind: ``UC``, ``HC``, ``UNS``."""
        return self.filter(code__startswith=f"{stem}-")

    def overdue(self, today: Day) -> Visits:
        return self.outstanding().filter(closes_on__lt=today)

    def due(self, today: Day) -> Visits:
        return self.outstanding().filter(opens_on__lte=today, closes_on__gte=today)

    def coming(self, today: Day, until: Day) -> Visits:
        """Visits whose window opens after ``today`` and by ``until``."""
        return self.outstanding().filter(opens_on__gt=today, opens_on__lte=until)


@declared("visit", "Visit")
class Visit(SiteRecord):
    """One visit of a participant: target, window, and what came of it.

    Target, booked and attended day are three facts. ``missed_on`` is the day on which it was
    recorded as missed, ``cancelled_on`` that on which nothing asked for it any more.
    ``added_forms`` are the codes of forms that somebody asked for beyond the plan's. A trigger
    keeps ``to_sign`` (``visits/walls.py``): every form is finished, and one neither signed nor
    locked.
    """

    unrecorded = ("to_sign",)

    participant = kept(
        models.ForeignKey(Participant, models.PROTECT, related_name="visits"), "withhold"
    )
    code = kept(models.CharField(max_length=12), "release", "Visit")
    plan_version = kept(models.CharField(max_length=10, default=current_version), "release")
    target_on = kept(models.DateField(), "date", "Target date")
    opens_on = kept(models.DateField(), "date", "Window opens")
    closes_on = kept(models.DateField(), "date", "Window closes")
    attended_on = kept(models.DateField(null=True, blank=True), "date", "Attended on")
    missed_because = kept(
        models.CharField(max_length=200, blank=True), "withhold", "Missed because"
    )
    missed_on = kept(models.DateField(null=True, blank=True), "withhold", "Missed on")
    cancelled_on = kept(models.DateField(null=True, blank=True), "date", "Cancelled on")
    booked_at = kept(models.DateTimeField(null=True, blank=True), "withhold", "Booked for")
    booked_place = kept(models.CharField(max_length=120, blank=True), "withhold", "Booked at")
    added_forms = kept(models.JSONField(default=list, blank=True), "withhold", "Forms added")
    to_sign = kept(models.BooleanField(default=False), "withhold")

    objects = Visits.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["target_on", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant", "code"], name="visit_code_once"),
            models.CheckConstraint(
                condition=Q(attended_on__isnull=True) | Q(missed_because=""),
                name="visit_attended_or_missed",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_on__isnull=True)
                | Q(attended_on__isnull=True, missed_because=""),
                name="visit_cancelled_only_unstarted",
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "closes_on"],
                condition=Q(attended_on__isnull=True, missed_because=""),
                name="visit_outstanding",
            ),
            models.Index(
                fields=["site", "opens_on"],
                condition=Q(attended_on__isnull=True, missed_because=""),
                name="visit_opening",
            ),
            models.Index(
                fields=["site", "booked_at"],
                condition=Q(booked_at__isnull=False),
                name="visit_booked",
            ),
            models.Index(
                fields=["site", "attended_on", "id"],
                condition=Q(to_sign=True),
                name="visit_to_sign",
            ),
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
        """The forms asked at this visit: the plan's in its order, then those added."""
        planned = PLANS[self.plan_version].forms(self.code, self._arm)
        codes = {asked.form for asked in planned}
        return planned + tuple(Asked(code) for code in self.added_forms if code not in codes)

    @property
    def addable(self) -> list[FormKind]:
        """The forms that may be asked beyond the plan's: any but logs, which have no visit."""
        plan = PLANS[self.plan_version]
        asked = {asked.form for asked in plan.forms(self.code, self._arm)}
        left_out = asked.union(self.added_forms, NOT_ASKED_OF.get(self._arm, ()))
        return [
            kind
            for code, kind in FORMS.items()
            if code not in left_out and not issubclass(kind.model, LogCrf)
        ]

    @property
    def _arm(self) -> str:
        who = self.participant
        return arm_followed(who.arm, who.full_plan_from, self.attended_on)

    @property
    def attended_outside(self) -> str:
        """How far from its window the visit was attended, in words; empty inside."""
        return outside(self.window, self.attended_on) if self.attended_on else ""

    @property
    def booked_local(self) -> datetime | None:
        """The time of the appointment on the site's clock."""
        zone = self.participant.site.zone
        return timezone.localtime(self.booked_at, zone) if self.booked_at else None

    @property
    def appointment(self) -> str:
        """Day, time (with the site's zone named) and place of the appointment."""
        if self.booked_at is None:
            return ""
        when = show_moment(self.booked_at, self.participant.site.zone)
        return f"{when}, {self.booked_place}" if self.booked_place else when

    @property
    def booked_outside(self) -> str:
        """How far from the window the appointment lies, in words; empty inside."""
        booked = self.booked_local
        return outside(self.window, booked.date()) if booked else ""

    @property
    def window(self) -> Window:
        return Window(self.target_on, self.opens_on, self.closes_on)


class FormEntry(SiteRecord):
    """The state of one form of one visit (or participant), leg and occurrence.

    Common to every form of every room: state, draft (the only place a draft lives, outside
    history and datasets), revision for optimistic saving, lock. A trigger copies ``visit_code``
    from its visit (``visits/walls.py``), so that millions of rows leave without looking for it.
    """

    class State(models.TextChoices):
        EMPTY = "empty", _("Not started")
        DRAFT = "draft", _("In progress")
        COMPLETE = "complete", _("Complete")
        VERIFIED = "verified", _("Verified")

    FINISHED = (State.COMPLETE, State.VERIFIED)
    unrecorded = ("draft", "draft_by", "draft_at", "state", "revision", "visit_code")

    participant = kept(
        models.ForeignKey(Participant, models.PROTECT, related_name="entries"), "withhold"
    )
    visit = kept(
        models.ForeignKey(Visit, models.PROTECT, null=True, related_name="entries"), "withhold"
    )
    visit_code = kept(models.CharField(max_length=12, db_default="", editable=False), "release")
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
    signature = kept(
        models.ForeignKey(Signature, models.PROTECT, null=True, related_name="entries"),
        "withhold",
        "Signature that stands",
    )
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
    def is_finished(self) -> bool:
        """Whether it is complete and nobody goes on with it."""
        return self.state in self.FINISHED and self.draft is None

    @staticmethod
    def begun() -> Q:
        """Entries that hold something: a draft, a record or a file."""
        files = Attachment.objects.filter(entry=OuterRef("pk"))
        return ~Q(state=FormEntry.State.EMPTY) | Q(Exists(files))

    @property
    def locked(self) -> bool:
        return self.locked_at is not None

    @property
    def asked(self) -> Asked | None:
        """What its visit asks of the form; None for a row of a log, or where it no longer does."""
        asked = self.visit.asked if self.visit else ()
        return next((one for one in asked if one.form == self.form), None)

    @property
    def asked_items(self) -> dict[str, Item]:
        """The form's items in the sections that its visit asks."""
        return FORMS[self.form].items(self.asked.sections if self.asked else ())

    @property
    def place(self) -> str:
        """Which column of the section it is: the leg, the ulcer's label, or nothing."""
        return self.occurrence or str(dict(LIMBS).get(self.limb, ""))

    @property
    def file_items(self) -> tuple[FileItem, ...]:
        """The questions of its form that are answered by files."""
        return FORMS[self.form].model.file_items

    def record(self) -> Any:
        """The clinical row saved under this entry, or None."""
        return FORMS[self.form].model.objects.filter(entry=self).first()
