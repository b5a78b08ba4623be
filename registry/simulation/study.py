"""The demo study: its sites, people, consent versions, laboratories' limits, films and dataset.

Whatever is there already is left as it is, so each of these may run again at any time.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.db.models import QuerySet

from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.core.errors import RefusedError
from registry.crfs.actions import set_limits
from registry.crfs.limits import LaboratoryLimit
from registry.exports import actions as exports
from registry.exports import rules as export_rules
from registry.exports.models import Dataset, DatasetRequest
from registry.exports.tasks import build_dataset
from registry.imaging import actions as imaging
from registry.imaging.models import Film, Xray
from registry.participants.models import ConsentVersion, Participant

from .film import PATTERNS, draw_film

FIXTURE = Path(settings.BASE_DIR) / "fixtures" / "demo_study.json"
PASSWORD = "saphena-demo"  # noqa: S105 - of people who do not exist; the demo refuses production
FILMS = 6


@cache
def _study() -> dict[str, Any]:
    study: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
    return study


def demo_sites() -> QuerySet[Site]:
    return Site.objects.filter(prefix__in=[site["prefix"] for site in _study()["sites"]])


def demo_users() -> list[User]:
    """The people of the demo in the fixture's order; all log in with :data:`PASSWORD`."""
    emails = [user["email"] for user in _study()["users"]]
    found = User.objects.prefetch_related("memberships__site").filter(email__in=emails)
    return sorted(found, key=lambda user: emails.index(user.email))


def has_participants() -> bool:
    sites = [site.pk for site in demo_sites()]
    with scope(User.objects.system("migration"), sites):
        return Participant.objects.filter(site__in=sites).exists()


def load_demo_study() -> Counter[str]:
    """Add what is missing of the study; what was added, by kind."""
    by = User.objects.system("migration")
    added: Counter[str] = Counter()
    with scope(by, []):
        sites = {}
        for given in _study()["sites"]:
            names = ("name", "time_zone", "language", "sending_hour", "date_order")
            site, new = Site.objects.get_or_create(
                prefix=given["prefix"], defaults={name: given[name] for name in names}
            )
            sites[site.prefix] = site
            added["sites"] += new
        added["users"] = _add_users(sites)
        with scope(by, [site.pk for site in sites.values()]):
            for given in _study()["sites"]:
                site = sites[given["prefix"]]
                added["consent versions"] += _add_versions(site, given["consent_versions"])
                valid_from = date.fromisoformat(given["limits_from"])
                added["laboratory limits"] += _add_limits(by, site, valid_from, given["limits"])
    return +added


def _add_users(sites: dict[str, Site]) -> int:
    there = set(User.objects.values_list("email", flat=True))
    new = [given for given in _study()["users"] if given["email"] not in there]
    password = make_password(PASSWORD) if new else ""
    for given in new:
        user = User.objects.create(email=given["email"], name=given["name"], password=password)
        site = sites[given["site"]] if given["site"] else None
        Membership.objects.create(user=user, role=Role(given["role"]), site=site)
    return len(new)


def _add_versions(site: Site, versions: list[dict[str, Any]]) -> int:
    return sum(
        ConsentVersion.objects.get_or_create(
            site=site,
            code=version["code"],
            defaults={
                "in_force_from": date.fromisoformat(version["in_force_from"]),
                "mandatory": version["mandatory"],
            },
        )[1]
        for version in versions
    )


def _add_limits(
    by: User, site: Site, valid_from: date, limits: dict[str, tuple[str | None, str | None]]
) -> int:
    there = LaboratoryLimit.objects.filter(site=site, valid_from=valid_from)
    missing = limits.keys() - set(there.values_list("item", flat=True))
    for item in sorted(missing):
        low, high = (None if text is None else Decimal(text) for text in limits[item])
        set_limits(by=by, site=site, item=item, valid_from=valid_from, low=low, high=high)
    return len(missing)


# -- films -----------------------------------------------------------------------------------


def add_films() -> int:
    """Draw films for the newest X-ray studies nobody has read, unless there are films.

    All but the last are confirmed to show no identifying text, as a coordinator would after
    looking; that last one still waits for it. Returns how many were added.
    """
    sites = [site.pk for site in demo_sites()]
    with scope(User.objects.system("migration"), sites):
        if Film.objects.filter(site__in=sites).exists():
            return 0
        studies = list(
            Xray.objects.filter(site__in=sites, performed=True, readings__isnull=True)
            .select_related("entry")
            .order_by("-acquired_on", "-pk")[: 5 * FILMS]
        )
        added = 0
        for study in studies:
            if added == FILMS:
                break
            added += _add_film(study, number=added)
    return added


def _add_film(study: Xray, *, number: int) -> bool:
    """Add a film as the site's coordinator; False when consent or the form forbids it."""
    coordinator = User.objects.get(
        memberships__site=study.site_id, memberships__role=Role.COORDINATOR, is_active=True
    )
    picture = draw_film(
        seed=number, limb=study.entry.limb, pattern=PATTERNS[number % len(PATTERNS)]
    )
    with user_scope(coordinator):
        try:
            film = imaging.add_film(
                by=coordinator, xray=study, upload=ContentFile(picture, "film.png")
            )
        except RefusedError:
            return False
        if number < FILMS - 1:
            imaging.confirm_checked(by=coordinator, film=film)
    return True


# -- the dataset -------------------------------------------------------------------------------


def order_dataset() -> Dataset:
    """The demo's dataset: there, under way, or asked for and approved now.

    A build that died with an earlier demo starts anew. Raises
    :class:`registry.exports.actions.ExportError`.
    """
    given = _study()["dataset"]
    researcher = User.objects.get(email=given["researcher"])
    steward = User.objects.get(email=given["steward"])
    asked = DatasetRequest.objects.filter(
        project__researcher=researcher, project__title=given["title"]
    ).first()
    if asked is None:
        with user_scope(researcher):
            asked = exports.request_dataset(
                by=researcher,
                profile=given["profile"],
                forms=sorted(export_rules.forms()),
                arms=sorted(export_rules.arms()),
                title=given["title"],
                purpose=given["purpose"],
            )
    if asked.state == DatasetRequest.State.ASKED:
        with user_scope(steward):
            return exports.approve_request(by=steward, request=asked)
    exports.sweep_builds()
    datasets = Dataset.objects.filter(request=asked)
    if dataset := datasets.exclude(state=Dataset.State.FAILED).first():
        if dataset.state == Dataset.State.QUEUED:
            build_dataset.delay(dataset.pk)  # its message may have died with an earlier worker
        return dataset
    with user_scope(researcher):
        return exports.order_build(by=researcher, request=asked)
