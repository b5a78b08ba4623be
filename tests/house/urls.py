"""Every URL of the URLconf, with what each of the cast gets there.

The expectations stand in ``urls.csv``: one line a URL and method, one column a role, in it the
status, or several that are right (``200/503``). To fill in a new URL's line:

    WRITE_URLS=1 .venv/bin/python -m pytest tests/house/test_urls.py

writes what is observed; review the difference line by line before committing it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from registry.access.models import ApiToken
from registry.access.scope import user_scope
from registry.core.files import store
from registry.exports.models import Dataset, DatasetProject, DatasetRequest, SiteCopy
from registry.imaging.blinding import key_of
from registry.quality.models import DataQuery
from registry.recall.models import Delivery, Digest, MailStop
from registry.recall.signed import pause_link
from registry.ulcers.models import Ulcer
from registry.visits.actions import add_row
from registry.visits.models import Attachment, FormEntry, Visit

from .. import build
from ..imaging import films

TABLE = Path(__file__).with_suffix(".csv")
WRITE = "WRITE_URLS"
METHODS = ("GET", "POST")
ROLES = {
    "anonymous": None,
    "coordinator": "ana",
    "other_site": "ben",
    "investigator": "hiro",
    "viewer": "vera",
    "reader": "chen",
    "monitor": "eli",
    "data_manager": "ines",
    "researcher": "fay",
    "steward": "jun",
    "administrator": "kei",
    "outsider": "gus",
}


@dataclass(frozen=True)
class Route:
    """One pattern of the URLconf: its name with namespaces, its arguments, its text."""

    name: str
    arguments: tuple[str, ...]
    text: str


def routes() -> list[Route]:
    """Every pattern of the URLconf."""
    return list(_walk(get_resolver().url_patterns, "", "", ()))


def _walk(
    patterns: list[Any], namespace: str, text: str, arguments: tuple[str, ...]
) -> Iterator[Route]:
    for one in patterns:
        longer = text + str(one.pattern)
        names = arguments + tuple(one.pattern.regex.groupindex)
        if isinstance(one, URLResolver):
            inner = f"{namespace}{one.namespace}:" if one.namespace else namespace
            yield from _walk(one.url_patterns, inner, longer, names)
        elif isinstance(one, URLPattern):
            yield Route(f"{namespace}{one.name or ''}", names, longer)


def samples(cast: SimpleNamespace) -> dict[str, Any]:
    """A value for each argument of a URL, of Tokyo's records; see :func:`address`."""
    participant = build.participant(cast.ana)
    visit = build.attended(cast.ana, participant)
    xray = build.form(cast.ana, visit, "xray", "right")
    # Unusual and not confirmed: a query opens.
    build.form(cast.ana, visit, "laboratory", calcium_total=Decimal("4.5"))
    entry = xray.entry_id
    film = films.film(cast.ana, xray, checked=False)
    unread = films.study(cast.ana, visit, "left")
    films.film(cast.ana, unread)
    screening = build.screening(cast.ana)
    with user_scope(cast.ana):
        ulcer = Ulcer.objects.create(
            participant=participant,
            limb="right",
            label="R1",
            location=["medial_malleolus"],
            onset_on="2025",
            ulcer_cause="venous",
            recorded_on=visit.attended_on,
            by=cast.ana,
        )
        assessment = FormEntry.objects.create(
            participant=participant, visit=visit, form="ulcers", limb="right", occurrence="R1"
        )
        photo = Attachment.objects.create(
            entry=assessment,
            item="photos",
            media_type="image/png",
            stored=store(films.png(), "attachments", "png"),
            by=cast.ana,
        )
        add_row(by=cast.ana, participant=participant, form="event")
        query = DataQuery.objects.get(rule="expected")
        token = ApiToken.objects.create(
            user=cast.ana, name="R", digest="0" * 64, expires_at=timezone.now()
        )
        expected = Visit.objects.filter(participant=participant).not_started().first()
        digest = Digest.objects.create(site=cast.tokyo, day=cast.tokyo.today)
        delivery = Delivery.objects.create(
            digest=digest,
            recipient=cast.ana,
            address=cast.ana.email,
            message_id="<1@example.org>",
            not_before=timezone.now(),
            subject="Tokyo: 1 visit",
            text="1 visit",
            html="<p>1 visit</p>",
        )
    stop = MailStop.objects.create(address=cast.hiro.email)
    with user_scope(cast.fay):
        request = DatasetRequest.objects.create(
            project=DatasetProject.objects.create(
                title="Calcium", purpose="Healing", researcher=cast.fay
            ),
            profile="safe_harbor",
            forms=["ceap"],
            arms=["cvi"],
            asked_by=cast.fay,
        )
        dataset = Dataset.objects.create(request=request, queued_by=cast.jun)
    with user_scope(cast.hiro):
        copy = SiteCopy.objects.create(site=cast.tokyo, asked_by=cast.hiro)
    return {
        "study_number": participant.study_number,
        "visits.pk": visit.pk,
        "visit_id": visit.pk,
        "queries.pk": query.pk,
        "queries.act": "answer",
        "queries.label": xray._meta.label_lower,
        "queries.key": xray.pk,
        "queries.item": "performed",
        "forms.pk": entry,
        "screenings.pk": screening.pk,
        "ulcers.pk": ulcer.pk,
        "films.pk": film.pk,
        "entry_id": assessment.pk,
        "item": photo.item,
        "attachments.pk": photo.pk,
        "readings.key": key_of(cast.chen, unread.pk),
        "number": 1,
        "recall_told.pk": delivery.digest_id,
        "recall.pk": delivery.pk,
        "recall.label": expected._meta.label_lower,
        "recall.key": expected.pk,
        "mail_pause.token": pause_link(cast.ana, cast.tokyo).split("/")[-2],
        "recall_pause.pk": cast.tokyo.pk,
        "recall_resume.pk": cast.tokyo.pk,
        "mail_again.pk": stop.pk,
        "request_id": request.pk,
        "project_id": request.project_id,
        "dataset_id": dataset.pk,
        "copy_id": copy.pk,
        "token": "signed-for-nobody",
        "sites.pk": cast.tokyo.pk,
        "prefix": cast.tokyo.prefix,
        "users.pk": cast.vera.pk,
        "role": cast.vera.memberships.get().pk,
        "tokens.pk": token.pk,
        "code": visit.code,
        "form": "ceap",
        "log.form": "event",
        "log_row.form": "event",
        "remove_log_row.form": "event",
        "row": "1",
        "limb": "right",
        "label": ulcer.label,
        "history.label": "participants.participant",
        "history.key": participant.pk,
        "accounts.uidb36": "1",
        "accounts.key": "set-password",
    }


def address(route: Route, samples: dict[str, Any]) -> str:
    """The route's address with the samples in it.

    A sample is looked up as ``<route>.<argument>``, as ``<first folder>.<argument>``, then as
    ``<argument>``. Raises :class:`LookupError`, saying what to add.
    """
    folder = route.text.lstrip("^").partition("/")[0]
    given = {}
    for name in route.arguments:
        keys = [f"{route.name}.{name}", f"{folder}.{name}", name]
        if not (known := [key for key in keys if key in samples]):
            raise LookupError(f"{route.name}: add “{keys[1]}” to samples() in tests/house/urls.py")
        given[name] = samples[known[0]]
    try:
        return reverse(route.name, kwargs=given)
    except NoReverseMatch as error:
        raise LookupError(f"{route.name}: its samples do not fit: {error}") from None


def read_table() -> dict[tuple[str, str], dict[str, str]]:
    """(route, method) → role → expected status."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="") as file:
        return {(row.pop("route"), row.pop("method")): dict(row) for row in csv.DictReader(file)}


def write_table(observed: dict[tuple[str, str], dict[str, str]]) -> None:
    """Write what is observed; an old cell that allows it (``200/503``) stays."""
    old = read_table()
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["route", "method", *ROLES], lineterminator="\n")
        writer.writeheader()
        for place, row in sorted(observed.items()):
            cells = {"route": place[0], "method": place[1]}
            for role, status in row.items():
                allowed = old.get(place, {}).get(role, "")
                cells[role] = allowed if status in allowed.split("/") else status
            writer.writerow(cells)
