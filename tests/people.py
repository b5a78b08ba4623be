"""The cast: two sites and everybody who works with them."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope
from registry.participants.models import ConsentVersion

PASSWORD = "correct horse battery"

PEOPLE = {
    "ana": ("Ana Sato", Role.COORDINATOR, "tokyo"),
    "ben": ("Ben Souza", Role.COORDINATOR, "rio"),
    "hiro": ("Hiro Mori", Role.INVESTIGATOR, "tokyo"),
    "vera": ("Vera Lima", Role.VIEWER, "tokyo"),
    "chen": ("Chen Wei", Role.READER, None),
    "dora": ("Dora Klein", Role.READER, None),
    "eli": ("Eli Stone", Role.MONITOR, None),
    "ines": ("Ines Marques", Role.DATA_MANAGER, None),
    "fay": ("Fay Okafor", Role.RESEARCHER, None),
    "jun": ("Jun Park", Role.STEWARD, None),
    "kei": ("Kei Adams", Role.ADMINISTRATOR, None),
    "gus": ("Gus Outsider", None, None),
}


def make_cast() -> SimpleNamespace:
    """Create sites, users, memberships and a consent version at each site."""
    cast = SimpleNamespace()
    with scope(User.objects.system("migration"), []):
        cast.tokyo = Site.objects.create(
            prefix="TKY", name="Tokyo", time_zone="Asia/Tokyo", language="ja", sending_hour=7
        )
        cast.rio = Site.objects.create(
            prefix="RIO", name="Rio", time_zone="America/Sao_Paulo", language="pt-br"
        )
        for name, (full, role, at) in PEOPLE.items():
            user = User(email=f"{name}@example.org", name=full)
            user.set_password(PASSWORD)
            user.save()
            if role:
                Membership.objects.create(
                    user=user, role=role, site=getattr(cast, at) if at else None
                )
            setattr(cast, name, user)
    sites = [cast.tokyo.pk, cast.rio.pk]
    with scope(User.objects.system("migration"), sites):
        for site in (cast.tokyo, cast.rio):
            ConsentVersion.objects.create(
                site=site, code="1.0", in_force_from=date(2020, 1, 1), mandatory=True
            )
    return cast


def find_cast() -> SimpleNamespace:
    """The cast that :func:`make_cast` made, fetched anew."""
    cast = SimpleNamespace(tokyo=Site.objects.get(prefix="TKY"), rio=Site.objects.get(prefix="RIO"))
    for user in User.objects.filter(is_system=False):
        setattr(cast, user.email.partition("@")[0], user)
    return cast
