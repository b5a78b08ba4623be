"""A page's form says for whom it was made, so that nothing lands with the wrong participant."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.core.errors import ConflictError

from .models import Participant

SALT = "saphena.page"


def page_token(user: User, participant: Participant) -> str:
    """What a page's form carries: who looks at whom, signed."""
    return signing.dumps([user.pk, participant.pk], salt=SALT)


def check_page(request: HttpRequest, participant: Participant) -> None:
    """Raise :class:`ConflictError` unless the form sent was made for ``participant`` and the user.

    Several visits are open in tabs between patients, and a second person may have signed in
    since: what the first typed stays with the first.
    """
    try:
        user, other = signing.loads(request.POST.get("page", ""), salt=SALT)
    except signing.BadSignature:
        user, other = None, None
    if other != participant.pk:
        raise ConflictError(_("This form was made for another participant. Nothing was saved."))
    if user != request.user.pk:
        name = User.objects.get(pk=user).name
        raise ConflictError(
            _(
                "These answers were typed by %(name)s and stay in this tab until %(name)s signs in"
                " again. Nothing was saved."
            )
            % {"name": name}
        )
