"""Data queries: one question per fact, asked at the item."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.access.models import Site, SiteRecord, SiteRecords, User
from registry.access.roles import Permission
from registry.core.dictionary import kept


class DataQueries(SiteRecords):
    def for_user(self, user: Any) -> Self:
        """The queries that concern ``user``: those for the site, and for the data manager his."""
        visible = self.visible_to(user)
        if user.may(Permission.MANAGE_DATA):
            return visible
        return visible.filter(audience=DataQuery.Audience.SITE)

    def unanswered(self) -> Self:
        return self.exclude(state=DataQuery.State.CLOSED)


class DataQuery(SiteRecord):
    """A question about one item of one record, opened by a rule or by a person.

    It knows the record by site, participant, label, key and item only, for it lies below all
    records. A rule's query closes by itself when the data are mended.
    """

    class State(models.TextChoices):
        NEW = "new", _("New")
        ANSWERED = "answered", _("Answered")
        CLOSED = "closed", _("Closed")

    class Audience(models.TextChoices):
        SITE = "site", _("Site")
        DATA_MANAGER = "data_manager", _("Data manager")

    site_from = ""

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    participant_no = kept(models.BigIntegerField(), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    item = kept(models.CharField(max_length=60, blank=True), "withhold")
    rule = kept(models.CharField(max_length=60, blank=True), "withhold")
    message = kept(models.TextField(), "withhold")
    audience = kept(
        models.CharField(max_length=12, choices=Audience.choices, default=Audience.SITE),
        "withhold",
    )
    state = kept(
        models.CharField(max_length=8, choices=State.choices, default=State.NEW), "withhold"
    )
    opened_by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    opened_at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    closed_by = kept(
        models.ForeignKey(User, models.PROTECT, null=True, related_name="+"), "withhold"
    )
    closed_at = kept(models.DateTimeField(null=True), "withhold")

    objects = DataQueries.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["label", "key", "item", "rule"],
                condition=~Q(state="closed") & ~Q(rule=""),
                name="query_one_open_a_rule",
            )
        ]
        indexes = [
            models.Index(fields=["participant_no", "state"], name="query_of_participant"),
            models.Index(fields=["site", "state", "opened_at"], name="query_by_site"),
        ]
