"""Links to a download: signed for one person and one file, and only for a while."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import Http404
from django.utils.translation import gettext as _

from registry.access.views import UserRequest


def signed(request: UserRequest, record: Any, salt: str) -> str:
    """The part of a link to ``record`` that lets who asks now fetch its file."""
    return signing.dumps([record.pk, request.user.pk], salt=salt)


def expired(request: UserRequest, record: Any, token: str, salt: str, lasts: int) -> bool:
    """Whether a link was made longer than ``lasts`` seconds ago, which a message then says.

    Raises :class:`Http404` for one that was not made here, for this person and this record.
    """
    try:
        signed_for = signing.loads(token, salt=salt, max_age=lasts)
    except signing.SignatureExpired:
        messages.warning(request, _("The link has expired. Here is a new one."))
        return True
    except signing.BadSignature:
        raise Http404 from None
    if signed_for != [record.pk, request.user.pk]:
        raise Http404
    return False
