"""One group of work as a whole list: the filters are in the address, so a list can be shared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from registry.access.forms import PlainForm
from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.pages import page_of
from registry.visits.crf import FORMS
from registry.visits.schedule import CURRENT

from .back import remember
from .work import Group, Reader, groups_of

AGES = (2, 7, 30, 90)  # days


class WorkFilters(PlainForm):
    """The filters of one group's list."""

    site = forms.ModelChoiceField(
        Site.objects.none(),
        label=_("Site"),
        required=False,
        to_field_name="prefix",
        empty_label=_("every site"),
    )
    visit = forms.ChoiceField(label=_("Visit"), required=False)
    form = forms.ChoiceField(label=_("Form"), required=False)
    age = forms.TypedChoiceField(label=_("Waiting for"), required=False, coerce=int)

    def __init__(self, group: Group, reader: Reader, data: Any) -> None:
        super().__init__(data)
        self.group, self.reader = group, reader
        sites = reader.user.sites_with(group.needs)
        choices: dict[str, list[tuple[Any, Any]]] = {
            "visit": [("", _("every visit"))] + [(one.code, one.label) for one in CURRENT.visits],
            "form": [("", _("every form"))] + [(kind.code, kind.label) for kind in FORMS.values()],
            "age": [("", _("however long"))]
            + [
                (days, ngettext("more than a day", "more than %(n)d days", days) % {"n": days})
                for days in AGES
            ],
        }
        for name, field in list(self.fields.items()):
            if name not in group.paths or (name == "site" and len(sites) == 1):
                del self.fields[name]
            elif isinstance(field, forms.ModelChoiceField):
                field.queryset = Site.objects.filter(pk__in=sites)
            elif isinstance(field, forms.ChoiceField):
                field.choices = choices[name]

    @property
    def filtered(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """``rows`` of the group narrowed to what is chosen; none when it cannot be understood."""
        if not self.is_valid():
            return rows.none()
        for name, value in self.cleaned_data.items():
            if value:
                rows = rows.filter(self._condition(name, self.group.paths[name], value))
        return rows

    def _condition(self, name: str, path: str, value: Any) -> Q:
        if name == "visit":
            # A repeated visit carries a number (UNS-2). By range: LIKE has no index under a policy.
            numbered = Q(**{f"{path}__gte": f"{value}-", f"{path}__lt": f"{value}."})
            return Q(**{path: value}) | numbered
        if name == "age":
            moment = timezone.now() - timedelta(days=value)
            before = moment if path.endswith("_at") else self.reader.days.after(-value)
            return Q(**{f"{path}__lt": before})
        return Q(**{path: value})


@needs(Permission.VIEW)
def worklist(request: UserRequest, group: Group) -> HttpResponse:
    """The rows of one group, the most urgent first."""
    if not request.user.may(group.needs):
        raise PermissionDenied
    reader = Reader(request.user)
    filters = WorkFilters(group, reader, request.GET)
    page = page_of(filters.narrow(group.rows(reader)), request.GET.get("page"))
    lines = [group.line(row) for row in page.object_list]
    context = {
        "group": group,
        "groups": [one for one in groups_of(request.user) if not one.listed_at],
        "form": filters,
        "problems": filters.problems,
        "page": page,
        "lines": lines,
        "at": remember(request, [line.place for line in lines]),
    }
    status = 422 if filters.problems else 200
    return render(request, "desk/worklist.html", context, status=status)
