"""What a list may be narrowed to: site, participant, visit. Anything else is refused.

A parameter that is ignored would answer with other rows than those asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from registry.access.models import Site
from registry.access.roles import Permission
from registry.participants.models import Participant
from registry.visits.schedule import PLANS

from .pagination import Pages

PAGING = {Pages.cursor_query_param, Pages.page_size_query_param}


def _site(user: Any, prefix: str) -> int:
    for site in Site.objects.filter(pk__in=user.sites_with(Permission.VIEW)):
        if site.prefix == prefix:
            return site.pk
    raise Http404


def _participant(user: Any, number: str) -> int:
    for participant in Participant.objects.visible_to(user).filter(study_number=number):
        return participant.pk
    raise Http404


def _visit(user: Any, code: str) -> str:
    stem = code.partition("-")[0]
    if stem not in {visit.code for plan in PLANS.values() for visit in plan.visits}:
        raise ValidationError({"visit": _("No visit has the code “%s”.") % code})
    return code


READERS: dict[str, tuple[Callable[[Any, str], Any], str]] = {
    "site": (_site, "Prefix of a site"),
    "participant": (_participant, "Study number"),
    "visit": (_visit, "Code of a visit, such as BL or UNS-1"),
}


class Narrowed(BaseFilterBackend):
    """Filter by the view's ``narrowed_by``: parameter → the column it is about.

    A site or participant that the user does not see is 404, like any other that does not exist.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        columns: dict[str, str] = view.narrowed_by
        if unknown := sorted(request.query_params.keys() - columns.keys() - PAGING):
            raise ValidationError({name: _("There is no such parameter.") for name in unknown})
        for name, column in columns.items():
            for typed in request.query_params.getlist(name):
                if "\0" in typed:
                    raise ValidationError({name: _("A character in it is not allowed.")})
                read = READERS[name][0]
                queryset = queryset.filter(**{column: read(request.user, typed)})
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": READERS[name][1],
                "schema": {"type": "string"},
            }
            for name in view.narrowed_by
        ]
