"""How the rules do: what they found, and how often that was right after all."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import render

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import items_of

from .models import Firing
from .rules import REVIEW_FROM, REVIEW_SHARE, to_review


@needs(Permission.MANAGE_DATA)
def rules(request: UserRequest) -> HttpResponse:
    """Firings, open, mended and settled of each rule; those that ask too much first."""
    outcome = Firing.Outcome
    counted = (
        Firing.objects.visible_to(request.user, Permission.MANAGE_DATA)
        .order_by()
        .values("label", "item", "rule")
        .annotate(
            firings=Count("pk"),
            open=Count("pk", filter=Q(outcome=outcome.OPEN)),
            mended=Count("pk", filter=Q(outcome=outcome.MENDED)),
            settled=Count("pk", filter=Q(outcome=outcome.SETTLED)),
        )
    )
    rows = [_row(dict(one)) for one in counted]
    rows.sort(key=lambda row: (not row["review"], -row["firings"], row["form"], row["item_label"]))
    context = {"rows": rows, "review_from": REVIEW_FROM, "review_percent": f"{REVIEW_SHARE:.0%}"}
    return render(request, "quality/rules.html", context)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    model = apps.get_model(one["label"])
    item = items_of(model).get(one["item"])
    declaration = getattr(model, "declaration", None)
    return one | {
        "form": declaration.label if declaration else model._meta.verbose_name,
        "item_label": item.label if item else "",
        "share": f"{one['settled'] / one['firings']:.0%}",
        "review": to_review(one["firings"], one["settled"]),
    }
