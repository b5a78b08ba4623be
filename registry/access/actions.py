"""Writes of users, their roles, sites and API tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.core.errors import RefusedError

from .models import ApiToken, Membership, Site, User
from .roles import SITE_ROLES, Role
from .tokens import new_token

LONGEST_TOKEN_DAYS = 365


class AccessError(RefusedError):
    """A user, role, site or token cannot be written."""


@transaction.atomic
def create_user(*, by: User, email: str, name: str, language: str = "en") -> User:
    """Create a user without a password and mail the link by which they set one.

    Raises :class:`AccessError` when the e-mail is taken.
    """
    user = _new_user(email, name, language)
    send_password_link(by=by, user=user)
    return user


@transaction.atomic
def create_administrator(*, by: User, email: str, name: str) -> str:
    """Create an administrator; the answer is the link by which they set their password."""
    user = _new_user(email, name)
    Membership.objects.create(user=user, role=Role.ADMINISTRATOR)
    return password_link(user)


def _new_user(email: str, name: str, language: str = "en") -> User:
    email = _free(email)
    user = User(email=email, name=name.strip(), language=language)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


def _free(email: str, of: User | None = None) -> str:
    """The address as it is stored. Raises :class:`AccessError` if somebody else has it."""
    email = email.strip().lower()
    others = User.objects.exclude(pk=of.pk) if of else User.objects.all()
    if others.filter(email__iexact=email).exists():
        raise AccessError(_("A user with the e-mail %(email)s exists.") % {"email": email}, "email")
    return email


def password_link(user: User) -> str:
    """A link that sets the user's password once, within ``PASSWORD_RESET_TIMEOUT``."""
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    return str(get_adapter().get_reset_password_from_key_url(key))


def send_password_link(*, by: User, user: User) -> None:
    """Mail the user a link to set a password, once the transaction is committed."""
    if user.is_system or not user.is_active:
        raise AccessError(_("%(name)s cannot log in: no link is sent.") % {"name": user.name})
    # Robust: the user is kept when the mail server is down, and the mail can be sent again.
    transaction.on_commit(lambda: _mail_link(user, by), robust=True)


def _mail_link(user: User, by: User) -> None:
    context = {
        "user": user,
        "by": by,
        "password_reset_url": password_link(user),
        "days": settings.PASSWORD_RESET_TIMEOUT // 86_400,
    }
    get_adapter().render_mail("account/email/welcome", user.email, context).send()


@transaction.atomic
def change_user(
    *, by: User, user: User, email: str, name: str, language: str, is_active: bool
) -> None:
    """Change a user. A user made inactive is out with their next request."""
    if not is_active:
        _require_another_administrator(user)
    user = User.objects.select_for_update().get(pk=user.pk, is_system=False)
    email = _free(email, of=user)
    if email != user.email:
        # allauth also finds people by the addresses they logged in with before.
        EmailAddress.objects.filter(user=user).delete()
    user.email, user.name, user.is_active = email, name.strip(), is_active
    user.language = language
    user.save(update_fields=["email", "name", "language", "is_active"])


@transaction.atomic
def choose_language(*, by: User, language: str) -> None:
    """Let pages and mails speak to ``by`` in ``language``, one of ``settings.LANGUAGES``."""
    if language not in dict(settings.LANGUAGES):
        raise AccessError(_("Choose one of the languages."), "language")
    User.objects.filter(pk=by.pk).update(language=language)


@transaction.atomic
def grant_role(*, by: User, user: User, role: str, site: Site | None) -> Membership:
    """Give a user a role, at a site or (central roles) at none."""
    if (role in SITE_ROLES) != (site is not None):
        message = (
            _("Choose the site of this role.")
            if site is None
            else _("This role is central: choose no site.")
        )
        raise AccessError(message, "site")
    membership, created = Membership.objects.get_or_create(user=user, role=role, site=site)
    if not created:
        raise AccessError(_("%(name)s holds this role already.") % {"name": user.name}, "role")
    return membership


@transaction.atomic
def revoke_role(*, by: User, membership: Membership) -> None:
    """Take a role away; it ends with the user's next request."""
    if membership.role == Role.ADMINISTRATOR:
        _require_another_administrator(membership.user)
    membership.delete()


def _require_another_administrator(user: User) -> None:
    """Raise :class:`AccessError` if ``user`` is the only one left who can manage users.

    Users and memberships are locked, so that two administrators cannot remove each other.
    """
    administrators = Membership.objects.filter(role=Role.ADMINISTRATOR, user__is_active=True)
    locked = administrators.select_related("user").order_by("pk").select_for_update()
    holders = {membership.user_id for membership in locked}
    if holders == {user.pk}:
        raise AccessError(_("%(name)s is the last administrator.") % {"name": user.name})


@transaction.atomic
def create_site(*, by: User, values: Mapping[str, Any]) -> Site:
    """Create a site; ``values`` are its columns, already checked."""
    return Site.objects.create(**values)


@transaction.atomic
def change_site(*, by: User, site: Site, values: Mapping[str, Any]) -> None:
    """Change a site; its prefix stays, for study numbers carry it."""
    Site.objects.filter(pk=site.pk).update(
        **{name: value for name, value in values.items() if name != "prefix"}
    )


@transaction.atomic
def create_token(*, by: User, name: str, days: int) -> tuple[ApiToken, str]:
    """Create an API token of ``by``; the second part of the answer is shown once and not kept."""
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        raise AccessError(
            _("A token lasts from 1 to %(days)s days.") % {"days": LONGEST_TOKEN_DAYS}, "days"
        )
    shown, digest = new_token()
    token = ApiToken.objects.create(
        user=by, name=name, digest=digest, expires_at=timezone.now() + timedelta(days=days)
    )
    return token, shown


@transaction.atomic
def revoke_token(*, by: User, token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk, user=by).delete()
