"""The only code that opens or closes an identity."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from registry.access.models import User
from registry.access.roles import Permission
from registry.audit.actions import log_look
from registry.core import encryption

from .models import Identity, Participant

INDEXES = ("name_and_birth", "hospital_number_index", "phone_index")


@dataclass(frozen=True)
class Person:
    """An identity in the clear; only ever in memory."""

    family_name: str
    given_name: str
    birth_date: date
    hospital_number: str = ""
    phone: str = ""
    email: str = ""
    address: str = ""

    def indexes(self) -> dict[str, bytes | None]:
        """The blind indexes under which this person is found."""
        return {
            "name_and_birth": name_index(self.family_name, self.birth_date),
            "hospital_number_index": hospital_number_index(self.hospital_number),
            "phone_index": phone_index(self.phone),
        }


def name_index(family_name: str, birth_date: date) -> bytes:
    return encryption.blind_index("name_and_birth", family_name, birth_date.isoformat())


def hospital_number_index(number: str) -> bytes | None:
    return encryption.blind_index("hospital_number", number) if number.strip() else None


def phone_index(phone: str) -> bytes | None:
    """Of the last nine digits, so that country prefixes and leading zeros do not matter."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", phone) if c.isdigit())[-9:]
    return encryption.blind_index("phone", digits) if digits else None


def keep(participant: Participant, person: Person) -> Identity:
    """Write the participant's identity."""
    identity = sealed(participant, person)
    identity.save(force_insert=True)
    return identity


def sealed(participant: Participant, person: Person) -> Identity:
    """The participant's identity, encrypted under a data key of its own; not yet written."""
    identity = Identity(participant=participant, **person.indexes())
    data_key = encryption.new_data_key()
    identity.wrapped_key = encryption.wrap_key(data_key, _place("wrapped_key", participant.pk))
    for name, value in _texts(person).items():
        place = _place(name, participant.pk)
        closed = encryption.seal(data_key, value.encode(), place) if value else None
        setattr(identity, name, closed)
    return identity


def open_identity(*, by: User, identity: Identity, what: str) -> Person:
    """Decrypt an identity and log the look. Raises :class:`encryption.SealedError` if erased."""
    data_key = encryption.unwrap_key(
        identity.wrapped_key, _place("wrapped_key", identity.participant_id)
    )
    opened: dict[str, Any] = {}
    for field in fields(Person):
        sealed = getattr(identity, field.name)
        place = _place(field.name, identity.participant_id)
        opened[field.name] = (
            encryption.open_sealed(data_key, bytes(sealed), place).decode() if sealed else ""
        )
    log_look(by=by, record=identity, what=what)
    return Person(**opened | {"birth_date": date.fromisoformat(opened["birth_date"])})


def erase(identity: Identity) -> None:
    """Destroy the key and the indexes: what stays is unreadable here and in every copy."""
    Identity.objects.filter(pk=identity.pk).update(
        wrapped_key=None, erased_at=timezone.now(), **dict.fromkeys(INDEXES)
    )


def rewrite(*, by: User, identity: Identity, person: Person) -> Person:
    """Write what differs, under the row's own data key, and the indexes; answers what it was.

    Raises :class:`encryption.SealedError` if the identity was erased.
    """
    before = open_identity(by=by, identity=identity, what="correction")
    data_key = encryption.unwrap_key(
        identity.wrapped_key, _place("wrapped_key", identity.participant_id)
    )
    old, changed = _texts(before), {}
    for name, value in _texts(person).items():
        if value != old[name]:
            place = _place(name, identity.participant_id)
            changed[name] = encryption.seal(data_key, value.encode(), place) if value else None
    if changed:
        Identity.objects.filter(pk=identity.pk).update(**changed, **person.indexes())
    return before


def find(user: User, indexes: Mapping[str, bytes | None]) -> QuerySet[Identity]:
    """Identities that share one of the ``indexes``, at sites where ``user`` may see them."""
    return Identity.objects.visible_to(user, Permission.SEE_IDENTITY).filter(_same(indexes))


def same_at(site_id: int, person: Person) -> QuerySet[Identity]:
    """Identities at one site that share an index with ``person``."""
    return Identity.objects.filter(_same(person.indexes()), site=site_id)


def _same(indexes: Mapping[str, bytes | None]) -> Q:
    same = Q(pk__in=[])
    for name, index in indexes.items():
        if index:
            same |= Q(**{name: index})
    return same


def known_elsewhere(participant_no: int) -> bool:
    """Whether a person of the same name and birth date is enrolled at another site.

    Asked through a function of the owner, which answers yes or no and shows no row, and no to
    those who cannot see the participant.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT registry_known_elsewhere(%s)", [participant_no])
        return bool(cursor.fetchone()[0])


def rewrap(identity: Identity) -> bool:
    """Wrap the row's data key under the newest master key; False when it already is."""
    wrapped = bytes(identity.wrapped_key or b"")
    if not wrapped or encryption.wrapped_with_newest(wrapped):
        return False
    place = _place("wrapped_key", identity.participant_id)
    fresh = encryption.wrap_key(encryption.unwrap_key(wrapped, place), place)
    return bool(
        Identity.objects.filter(pk=identity.pk, wrapped_key=wrapped).update(wrapped_key=fresh)
    )


def _texts(person: Person) -> dict[str, str]:
    values = {field.name: getattr(person, field.name) for field in fields(Person)}
    return values | {"birth_date": person.birth_date.isoformat()}


def _place(column: str, participant_id: int) -> str:
    return f"participants_identity.{column}.{participant_id}"
