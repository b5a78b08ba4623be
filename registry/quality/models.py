"""Data queries with their threads, what rules found, what was verified, and the nightly check."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.access.models import Site, SiteRecord, SiteRecords, User
from registry.access.roles import Permission
from registry.core.dictionary import kept

from . import rules

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class DataQueries(SiteRecords):
    def for_user(self, user: Any) -> Self:
        """The queries that concern ``user``: those for the site, and for the data manager his."""
        visible = self.visible_to(user)
        if user.may(Permission.MANAGE_DATA):
            return visible
        return visible.filter(audience=DataQuery.Audience.SITE)

    def unanswered(self) -> Self:
        return self.exclude(state=DataQuery.State.CLOSED)

    def owned_by(self, owner: str) -> Self:
        """Those on which ``owner`` must act now: :func:`.rules.owner` in SQL.

        A test holds the two equal.
        """
        found = Q()
        for state in rules.State:
            for audience in DataQuery.Audience.values:
                for source in rules.Source:
                    if rules.owner(state, audience, source) == owner:
                        found |= Q(state=state, audience=audience, source=source)
        return self.filter(found) if found else self.none()

    def older_than(self, days: int) -> Self:
        return self.filter(opened_at__lte=timezone.now() - timedelta(days=days))


class DataQuery(SiteRecord):
    """A question about one item of one record, opened by a rule or by a person.

    It knows the record by site, participant, label, key and item only, for it lies below all
    records. A rule's query closes by itself when the data are mended, and is the same one again
    when they break anew. ``settled`` is the finding that a data manager accepted as right: the
    query stays closed while the rule finds exactly that.
    """

    class State(models.TextChoices):
        NEW = rules.State.NEW, _("New")
        ANSWERED = rules.State.ANSWERED, _("Answered")
        CLOSED = rules.State.CLOSED, _("Closed")

    class Audience(models.TextChoices):
        SITE = "site", _("Site")
        DATA_MANAGER = "data_manager", _("Data manager")

    class Source(models.TextChoices):
        RULE = rules.Source.RULE, _("Rule")
        MONITOR = rules.Source.MONITOR, _("Monitor")
        DATA_MANAGER = rules.Source.DATA_MANAGER, _("Data manager")

    site_from = ""

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    participant_no = kept(models.BigIntegerField(), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    item = kept(models.CharField(max_length=60, blank=True), "withhold")
    rule = kept(models.CharField(max_length=60, blank=True), "withhold")
    source = kept(
        models.CharField(max_length=12, choices=Source.choices, default=Source.RULE), "withhold"
    )
    message = kept(models.TextField(), "withhold", "Question")
    settled = kept(models.TextField(blank=True), "withhold", "Finding accepted as right")
    audience = kept(
        models.CharField(max_length=12, choices=Audience.choices, default=Audience.SITE),
        "withhold",
    )
    state = kept(
        models.CharField(max_length=8, choices=State.choices, default=State.NEW), "withhold"
    )
    opened_by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    opened_at = kept(models.DateTimeField(default=timezone.now), "withhold")
    closed_by = kept(
        models.ForeignKey(User, models.PROTECT, null=True, related_name="+"), "withhold"
    )
    closed_at = kept(models.DateTimeField(null=True), "withhold")

    if TYPE_CHECKING:
        messages: RelatedManager[QueryMessage]

    objects = DataQueries.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["label", "key", "item", "rule"],
                condition=~Q(rule=""),
                name="query_one_a_rule",
            )
        ]
        indexes = [
            models.Index(fields=["participant_no", "state"], name="query_of_participant"),
            models.Index(
                fields=["site", "opened_at", "id"],
                condition=~Q(state="closed"),
                name="query_open_by_site",
            ),
        ]

    @property
    def mended(self) -> bool:
        """Whether the query closed because its rule found nothing any more."""
        return bool(self.rule) and self.state == self.State.CLOSED and not self.settled

    @property
    def owner(self) -> rules.Owner:
        return rules.owner(rules.State(self.state), self.audience, rules.Source(self.source))

    @property
    def age_days(self) -> int:
        """Days since it was (last) opened, until it was closed or now."""
        return ((self.closed_at or timezone.now()) - self.opened_at).days

    def may(self, user: Any, act: rules.Act) -> bool:
        """Whether ``user`` may do ``act`` to the query as it stands."""
        permission = rules.permission_for(act, rules.Source(self.source))
        return user.may(permission, self.site_id) and rules.possible(
            act, rules.State(self.state), mended=self.mended
        )


class QueryMessage(SiteRecord):
    """One turn of a query's thread; never changed."""

    class Act(models.TextChoices):
        ASKED = "asked", _("Asked")
        ANSWERED = "answered", _("Answered")
        CLOSED = "closed", _("Closed")
        REOPENED = "reopened", _("Asked again")

    site_from = "query"
    append_only = True
    web_grants = "SELECT, INSERT"

    query = kept(models.ForeignKey(DataQuery, models.PROTECT, related_name="messages"), "withhold")
    act = kept(models.CharField(max_length=8, choices=Act.choices), "withhold")
    text = kept(models.TextField(blank=True), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    by_rule = kept(models.BooleanField(default=False), "withhold")
    at = kept(models.DateTimeField(default=timezone.now), "withhold")

    class Meta:
        ordering = ["id"]


class Firing(SiteRecord):
    """A rule found something, and what became of it: counted to find rules that ask too much."""

    class Outcome(models.TextChoices):
        OPEN = "open", _("Open")
        MENDED = "mended", _("Mended")
        SETTLED = "settled", _("It is right")

    site_from = ""
    unrecorded = ("participant_no", "label", "key", "item", "rule", "about", "outcome", "at")

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    participant_no = kept(models.BigIntegerField(db_index=True), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    item = kept(models.CharField(max_length=60, blank=True), "withhold")
    rule = kept(models.CharField(max_length=60), "withhold")
    about = kept(models.TextField(), "withhold", "What was found")
    outcome = kept(
        models.CharField(max_length=7, choices=Outcome.choices, default=Outcome.OPEN), "withhold"
    )
    at = kept(models.DateTimeField(default=timezone.now), "withhold")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["label", "item", "rule"], name="firing_by_rule")]


class Verification(SiteRecord):
    """A monitor compared one item with its source.

    ``fingerprint`` is that of the value and absence code seen. A trigger marks the row fallen as
    soon as the value changes (``visits/walls.py``); verifying anew writes over it, and history
    keeps both.
    """

    site_from = ""

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    participant_no = kept(models.BigIntegerField(db_index=True), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    item = kept(models.CharField(max_length=60), "withhold")
    fingerprint = kept(models.CharField(max_length=64), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(default=timezone.now), "withhold")
    fallen_at = kept(models.DateTimeField(null=True), "withhold")
    fallen_by = kept(
        models.ForeignKey(User, models.PROTECT, null=True, related_name="+"), "withhold"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["label", "key", "item"], name="verification_once")
        ]

    @property
    def holds(self) -> bool:
        return self.fallen_at is None


class RecheckRun(SiteRecord):
    """The nightly check of one site and day: how far it is.

    Whoever holds the row's lock is at work; a worker that died lets it go, and the next one goes
    on after ``upto``.
    """

    site_from = ""
    unrecorded = ("day", "upto", "checked", "started_at", "finished_at")

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    day = kept(models.DateField(), "withhold")
    upto = kept(models.BigIntegerField(default=0), "withhold", "Last participant checked")
    checked = kept(models.PositiveIntegerField(default=0), "withhold", "Participants checked")
    started_at = kept(models.DateTimeField(default=timezone.now), "withhold")
    finished_at = kept(models.DateTimeField(null=True), "withhold")

    class Meta:
        ordering = ["-day", "site"]
        constraints = [models.UniqueConstraint(fields=["site", "day"], name="recheck_once_a_day")]
