"""Sites, users, who holds which role where, and the base of every site's record."""

from __future__ import annotations

import zoneinfo
from datetime import date
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from registry.core.dictionary import kept

from .roles import POLICY, ROLE_NAMES, SITE_ROLES, Permission, Role


def check_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(name)s” is no time zone. Use a name like Asia/Tokyo.") % {"name": name}
        )


class Site(models.Model):
    """A hospital of the study. Its clock and sending hour govern its mails.

    ``language`` says what is spoken there; pages and mails follow each user's own.
    """

    prefix = models.CharField(_("prefix of study numbers"), max_length=4, unique=True)
    name = models.CharField(_("name"), max_length=120)
    time_zone = models.CharField(_("time zone"), max_length=60, validators=[check_time_zone])
    language = models.CharField(_("language"), max_length=10, default="en")
    sending_hour = models.PositiveSmallIntegerField(_("sending hour of recall mails"), default=7)
    date_order = models.CharField(
        _("order of day and month in all-number dates"), max_length=3, blank=True, default=""
    )
    last_number = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["prefix"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sending_hour__gte=0, sending_hour__lte=23), name="site_sending_hour"
            ),
            models.CheckConstraint(
                condition=Q(date_order__in=["", "dmy", "mdy"]), name="site_date_order"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    @property
    def today(self) -> date:
        """The day it is at the site."""
        return timezone.localdate(timezone=self.zone)


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def system(self, name: str) -> User:
        """The system actor ``name`` (recall, import, migration …): history always has a name."""
        return self.get(email=f"{name}@system.invalid", is_system=True)


class User(AbstractBaseUser):
    """A person with a log-in, or a system actor without one."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    language = models.CharField(_("language"), max_length=10, default="en")
    is_active = models.BooleanField(default=True)
    is_system = models.BooleanField(default=False, editable=False)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def grants(self) -> dict[Permission, frozenset[int]]:
        """Permission → ids of the sites where the user holds it; a central role holds at all."""
        held: dict[Permission, set[int]] = {}
        everywhere: frozenset[int] | None = None
        for membership in self.memberships.all():
            if membership.site_id is not None:
                sites: frozenset[int] = frozenset({membership.site_id})
            else:
                if everywhere is None:
                    everywhere = frozenset(Site.objects.values_list("id", flat=True))
                sites = everywhere
            for permission in POLICY[Role(membership.role)]:
                held.setdefault(permission, set()).update(sites)
        return {permission: frozenset(sites) for permission, sites in held.items()}

    def sites_with(self, permission: Permission) -> frozenset[int]:
        """Ids of the sites at which the user holds ``permission``."""
        return self.grants.get(permission, frozenset())

    def may(self, permission: Permission, site_id: int | None = None) -> bool:
        """Whether the user holds ``permission`` at the site, or anywhere when none is named."""
        if site_id is not None:
            return site_id in self.sites_with(permission)
        return permission in self.grants

    @property
    def scope_sites(self) -> frozenset[int]:
        """Every site whose rows the user may reach at all."""
        return frozenset().union(*self.grants.values()) if self.grants else frozenset()


class Membership(models.Model):
    """One role of a user: at a site for site roles, without a site for central ones."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True)
    role = models.CharField(max_length=20, choices=[(r.value, ROLE_NAMES[r]) for r in Role])

    class Meta:
        ordering = ["user", "role"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "site", "role"], nulls_distinct=False, name="membership_once"
            ),
            models.CheckConstraint(
                condition=Q(site__isnull=False, role__in=sorted(SITE_ROLES))
                | (Q(site__isnull=True) & ~Q(role__in=sorted(SITE_ROLES))),
                name="membership_site_roles_at_a_site",
            ),
        ]

    def __str__(self) -> str:
        return f"{ROLE_NAMES[Role(self.role)]} {self.site or ''}".strip()


class ApiToken(models.Model):
    """A named, expiring token for the API; only its SHA-256 is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class SiteRecords(models.QuerySet[Any]):
    """Rows reach a view only through :meth:`visible_to` (fetch is authorise)."""

    def visible_to(self, user: Any, permission: Permission = Permission.VIEW) -> Self:
        """The rows at sites where ``user`` holds ``permission``; none for an anonymous user."""
        sites = user.sites_with(permission) if user.is_authenticated else ()
        return self.filter(site__in=sites)

    def for_user(self, user: Any) -> Self:
        """Of the visible rows those that concern ``user``; of others he sees no history either."""
        return self.visible_to(user)


class SiteRecord(models.Model):
    """Base of every clinical, query and ledger table: it belongs to a site.

    ``site`` is filled by a trigger from the row named by ``site_from`` (a foreign key of this
    table), so no code can put a row at another site than its parent's; a table with
    ``site_from = ""`` is a root and names its site itself. ``scope_setting`` names the scope
    that opens it, ``history_needs`` the permission to read its history; ``unrecorded`` columns stay
    out of history, and the rows of an ``append_only`` table are never changed. The walls
    (``access/walls.py`` and others) are raised for every subclass.
    """

    is_site_record: ClassVar[bool] = True
    site_from: ClassVar[str] = "participant"
    scope_setting: ClassVar[str] = "sites"
    history_needs: ClassVar[Permission] = Permission.VIEW
    unrecorded: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = False

    site = kept(
        models.ForeignKey(Site, models.PROTECT, db_default=0, editable=False, related_name="+"),
        "group",
        "Site",
    )

    objects = SiteRecords.as_manager()

    class Meta:
        abstract = True
