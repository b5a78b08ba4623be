"""Projects, requests, datasets, downloads, and the tables that hold pseudonyms.

None is a site's record: a dataset spans sites, and who may see it follows from the project.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from registry.access.models import User
from registry.access.roles import Permission
from registry.participants.models import Participant

from .site_copy import SiteCopy as SiteCopy

SPANS_SITES = "A dataset spans sites; its project's researcher and the stewards see it."
WALLED = "The web role has no grant at all; only the release path reads it."


class OfProject(models.QuerySet[Any]):
    """Rows of a project reach a view only through :meth:`visible_to`."""

    researcher: ClassVar[str] = "researcher"

    def visible_to(self, user: Any) -> Self:
        """All for a data steward, a researcher's own, none for anybody else."""
        if not user.is_authenticated:
            return self.none()
        if user.may(Permission.APPROVE_DATASET):
            return self
        if user.may(Permission.REQUEST_DATASET):
            return self.filter(**{self.researcher: user})
        return self.none()


class Requests(OfProject):
    researcher = "project__researcher"


class Datasets(OfProject):
    researcher = "request__project__researcher"


class DatasetProject(models.Model):
    """A piece of research. Pseudonyms belong to it: its releases can be linked, others cannot."""

    exempt_because: ClassVar[str] = SPANS_SITES

    title = models.CharField(_("title"), max_length=200)
    purpose = models.TextField(_("purpose"))
    researcher = models.ForeignKey(User, models.PROTECT, related_name="dataset_projects")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfProject.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(purpose=""), name="dataset_project_has_purpose")
        ]

    def __str__(self) -> str:
        return self.title


def _all_formats() -> list[str]:
    """What requests had before they could choose."""
    return ["csv", "parquet"]


class DatasetRequest(models.Model):
    """What a project asks for, and what a steward said.

    Participants are those of ``arms``; of ``sites`` (keys), enrolled ``enrolled_from`` to
    ``enrolled_to``, with one of ``classes`` (0 to 6, the worse leg at baseline). Of the last three
    an empty one asks for all.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("Waiting for a steward")
        APPROVED = "approved", _("Approved")
        RETURNED = "returned", _("Returned")

    exempt_because: ClassVar[str] = SPANS_SITES

    project = models.ForeignKey(DatasetProject, models.PROTECT, related_name="requests")
    profile = models.CharField(max_length=20)
    forms = ArrayField(models.CharField(max_length=30))
    arms = ArrayField(models.CharField(max_length=20))
    sites = ArrayField(models.BigIntegerField(), default=list)
    enrolled_from = models.DateField(null=True)
    enrolled_to = models.DateField(null=True)
    classes = ArrayField(models.SmallIntegerField(), default=list)
    formats = ArrayField(models.CharField(max_length=20), default=_all_formats)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(_("reason"), blank=True)

    objects = Requests.as_manager()

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            # The database refuses last: a request has an answer or not, and never its asker's own.
            models.CheckConstraint(
                condition=Q(state="asked", decided_by__isnull=True)
                | Q(state__in=["approved", "returned"], decided_by__isnull=False),
                name="dataset_request_decided_whole",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("asked_by")),
                name="dataset_request_not_ones_own",
            ),
            models.CheckConstraint(
                condition=~Q(state="returned", reason=""),
                name="dataset_request_returned_with_reason",
            ),
        ]


class Dataset(models.Model):
    """One build of an approved request. Only a ``ready`` one has a file."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting to be built")
        BUILDING = "building", _("Being built")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    UNFINISHED = (State.QUEUED, State.BUILDING)
    exempt_because: ClassVar[str] = SPANS_SITES

    request = models.ForeignKey(DatasetRequest, models.PROTECT, related_name="datasets")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    queued_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    cancelled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    cut_off = models.DateTimeField(null=True)
    stage = models.CharField(max_length=100, blank=True)
    rows_done = models.PositiveBigIntegerField(default=0)
    rows_expected = models.PositiveBigIntegerField(null=True)
    error = models.TextField(blank=True)
    manifest = models.JSONField(default=dict)
    disclosure = models.JSONField(default=dict)
    stored_as = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(null=True)

    objects = Datasets.as_manager()

    class Meta:
        ordering = ["-queued_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="ready") | (~Q(stored_as="") & ~Q(sha256="")),
                name="dataset_ready_has_file",
            )
        ]

    @property
    def unfinished(self) -> bool:
        return self.state in self.UNFINISHED


class Download(models.Model):
    """Who fetched a dataset, and when."""

    exempt_because: ClassVar[str] = SPANS_SITES
    web_grants: ClassVar[str] = "SELECT, INSERT"

    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="downloads")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-at"]


class Pseudonym(models.Model):
    """A participant's random name within one project."""

    exempt_because: ClassVar[str] = WALLED
    web_grants: ClassVar[str] = ""

    # Looked up by their project alone, in the constraints' indexes; two more would be drawn slower.
    project = models.ForeignKey(DatasetProject, models.PROTECT, related_name="+", db_index=False)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+", db_index=False)
    code = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "participant"], name="pseudonym_once"),
            models.UniqueConstraint(fields=["project", "code"], name="pseudonym_of_one"),
        ]


class StandIn(models.Model):
    """The random number of a site, examiner or reader within one project."""

    exempt_because: ClassVar[str] = WALLED
    web_grants: ClassVar[str] = ""

    project = models.ForeignKey(DatasetProject, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10)
    key = models.CharField(max_length=64)
    number = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "key"], name="stand_in_once"),
            models.UniqueConstraint(fields=["project", "kind", "number"], name="stand_in_of_one"),
        ]


class Included(models.Model):
    """Who was in a dataset: one row, small also for many releases of a hundred thousand people.

    Written in the build's own transaction; it says who went out once the dataset is ready. Beside
    each of ``participants`` stand his class, numbered within the dataset and 0 for those
    suppressed, and his outcomes: what joins releases.
    """

    exempt_because: ClassVar[str] = WALLED
    web_grants: ClassVar[str] = ""

    dataset = models.OneToOneField(Dataset, models.PROTECT, primary_key=True, related_name="+")
    participants = ArrayField(models.BigIntegerField())
    classes = ArrayField(models.IntegerField(), default=list)
    outcomes = ArrayField(models.JSONField(), default=list)


class Deletions(OfProject):
    researcher = "project__researcher"

    def open(self) -> Self:
        """Those that the project still has to delete."""
        return self.filter(confirmed_at=None, lifted_at=None)


class Deletion(models.Model):
    """A pseudonym that its project has to delete: the participant went out and stopped sharing.

    Ends ``confirmed`` by the researcher, or ``lifted`` where sharing was allowed again before.
    Whoever goes out and stops once more gets another row; none is ever deleted.
    """

    exempt_because: ClassVar[str] = SPANS_SITES
    # Rows are found by a function of the database; the web role can only say how they went on.
    web_grants: ClassVar[str] = "SELECT, UPDATE (told_at, confirmed_at, confirmed_by_id)"

    project = models.ForeignKey(DatasetProject, models.PROTECT, related_name="deletions")
    pseudonym = models.ForeignKey(Pseudonym, models.PROTECT, related_name="+")
    found_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = Deletions.as_manager()

    class Meta:
        ordering = ["found_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["pseudonym"],
                condition=Q(confirmed_at__isnull=True, lifted_at__isnull=True),
                name="deletion_open_once",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True, confirmed_by__isnull=True)
                | Q(confirmed_at__isnull=False, confirmed_by__isnull=False, lifted_at__isnull=True),
                name="deletion_confirmed_whole",
            ),
        ]
