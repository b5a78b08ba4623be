"""A page's form says for whom it was made, so that nothing lands with the wrong participant."""

from __future__ import annotations

from django.core import signing
from django.http import HttpRequest
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.participants.models import Participant

SALT = "saphena.page"


def page_token(user: User, participant: Participant) -> str:
    """What a page's form carries: who looks at whom, signed."""
    return signing.dumps([user.pk, participant.pk], salt=SALT)


def misplaced(request: HttpRequest, participant: Participant) -> str:
    """Why a form that was sent may not be saved for ``participant``; empty when it may.

    Several visits are open in tabs between patients, and a second person may have signed in
    since: what the first typed stays with the first.
    """
    token = request.POST.get("page")
    if token is None:
        return ""
    try:
        user, other = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        user, other = None, None
    if other != participant.pk:
        return _("This form was made for another participant. Nothing was saved.")
    if user != request.user.pk:
        name = User.objects.get(pk=user).name
        return _(
            "These answers were typed by %(name)s and stay in this tab until %(name)s signs in"
            " again. Nothing was saved."
        ) % {"name": name}
    return ""
