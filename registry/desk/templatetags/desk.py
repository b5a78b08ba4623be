"""Where to go after a visit."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Q

from registry.access.days import SiteDays
from registry.access.roles import Permission
from registry.visits.models import Visit

from ..back import back_to_list

register = template.Library()


@register.inclusion_tag("desk/_next.html", takes_context=True)
def next_due(context: Any, visit: Visit) -> dict[str, Any]:
    """The visit of the same site that is due next, and the list one came from."""
    request = context["request"]
    if not request.user.may(Permission.ENTER, visit.site_id):
        return {"back": back_to_list(request, visit)}
    today = SiteDays([visit.site_id]).after()
    open_now = Visit.objects.filter(site=visit.site_id).exclude(pk=visit.pk)
    open_now = open_now.outstanding().filter(opens_on__lte=today)
    after = Q(closes_on__gt=visit.closes_on) | Q(closes_on=visit.closes_on, pk__gt=visit.pk)
    in_order = open_now.select_related("participant").order_by("closes_on", "pk")
    found = in_order.filter(after, closes_on__gte=visit.closes_on).first() or in_order.first()
    return {"next": found, "back": back_to_list(request, visit)}
