"""What a mail told, as it stands now: also what the mail only counted."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs

from . import actions
from .kinds import ABOUT
from .models import Digest

ROWS_A_PAGE = 100


@require_safe
@needs(Permission.VIEW)
def recall_told(request: UserRequest, pk: int) -> HttpResponse:
    """What a digest told and still holds, the most urgent first.

    With ``kind`` only what stands in that group, or stood in it when it was told.
    """
    digests = Digest.objects.visible_to(request.user).select_related("site")
    digest = get_object_or_404(digests, pk=pk)
    if not digest.tells:
        raise Http404
    due = actions.Composition(digest.site, digest, digest.site.today).due
    kind = request.GET.get("kind", "")
    asked = [one for one in due if kind in ("", one.group, one.kind)]
    counts = Counter(one.group for one in asked)
    shown = Paginator(asked, ROWS_A_PAGE).get_page(request.GET.get("page"))
    lines = groupby(actions.lines_of(list(shown)), lambda pair: pair[0].group)
    context = {
        "digest": digest,
        "kind": kind,
        "count": len(due),
        "tabs": [
            (one, _(ABOUT[one].heading), number)
            for one, number in Counter(one.group for one in due).items()
        ],
        "groups": [
            (_(ABOUT[one].heading), counts[one], _(ABOUT[one].request), list(rows))
            for one, rows in lines
        ],
        "page": shown,
        "may_enter": request.user.may(Permission.ENTER, digest.site_id),
    }
    return render(request, "recall/told.html", context)
