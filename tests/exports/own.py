"""Copies of a site's data: what must not be read outside of one, and where they lie."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace

from django.conf import settings

from registry.access.models import User
from registry.access.scope import scope, user_scope
from registry.exports.models import SiteCopy
from registry.imaging.models import Film
from registry.visits.attaching import add_attachment
from registry.visits.models import Attachment, Visit

from ..imaging import films

PERSON = {
    "family_name": "山田Wren",
    "given_name": '"Hana", the=1',
    "birth_date": date(1931, 2, 3),
    "hospital_number": "0000471199",
    "phone": "03-9988-7766",
    "email": "wren@example.jp",
    "address": "1-2-3 Wren\nTokyo",
}
SECRETS = [PERSON[name].encode() for name in ("family_name", "hospital_number", "phone", "email")]
ZIP = b"PK\x03\x04"  # how a zip that is not sealed begins


def fresh(copy: SiteCopy) -> SiteCopy:
    """The copy as it stands now."""
    with scope(User.objects.system("datasets"), [copy.site_id]):
        copy.refresh_from_db()
    return copy


def copies() -> list[Path]:
    """Files of copies that lie in storage."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("copies/*") if path.is_file()]


def with_files(cohort: SimpleNamespace) -> tuple[Film, Attachment]:
    """A film and an attached picture of Tokyo's first participant."""
    with user_scope(cohort.ana):
        visit = Visit.objects.get(participant=cohort.people[0], code="BL")
    film = films.film(cohort.ana, films.study(cohort.ana, visit, "right"))
    with user_scope(cohort.ana):
        entry = visit.entries.get(form="ulcers")
        picture = films.upload(films.png(), "Wren.png")
        [item] = entry.file_items
        return film, add_attachment(by=cohort.ana, entry=entry, item=item, upload=picture)
