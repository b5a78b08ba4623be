"""The table of identities: each opened by the vault, which logs the look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from django.utils.translation import gettext

from registry.access.models import Site, User
from registry.participants.models import Identity
from registry.participants.vault import Person, open_identity

from .cells import key, label_of, records
from .tables import AT_ONCE, Table

COPY = "copy of the site's data"  # what the log of looks says


def identities(site: Site, by: User) -> Table:
    """Every identity of the site, in the clear; of an erased one only when that was."""
    found = records(Identity, site)
    names = [field.name for field in fields(Person)]
    columns = [
        key("study_number", gettext("Study number"), "study_number"),
        *(key(name, label_of(Identity._meta.get_field(name)), name) for name in names),  # type: ignore[arg-type]
        key("erased_at", gettext("Erased at (UTC)"), "erased_at"),
        key("record", gettext("Number of the record, by which the history names it"), "pk"),
    ]

    def rows() -> Iterator[Sequence[str]]:
        in_order = found.select_related("participant").order_by("participant__study_number")
        for identity in in_order.iterator(AT_ONCE):
            values: dict[str, Any] = dict.fromkeys(names, "")
            if identity.erased_at is None:
                person = open_identity(by=by, identity=identity, what=COPY)
                values = {name: getattr(person, name) for name in names}
            values |= {
                "study_number": identity.participant.study_number,
                "erased_at": identity.erased_at,
                "pk": identity.pk,
            }
            yield [column.cell(values) for column in columns]

    return Table("identities", gettext("Identities"), columns, found.count, rows)
