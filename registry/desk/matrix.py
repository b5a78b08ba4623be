"""Participants by visits: how far everybody is, each cell a link to its visit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django import forms
from django.apps import apps
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from registry.access.days import SiteDays
from registry.access.forms import PlainForm
from registry.access.models import Site, User
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import items_of
from registry.core.pages import PAGE
from registry.core.states import State, show_state
from registry.participants.models import Participant
from registry.quality.models import DataQuery
from registry.visits.crf import Crf
from registry.visits.models import Visit
from registry.visits.schedule import CURRENT

from .back import at_participant, remember

PLANNED = [visit for visit in CURRENT.visits if visit.arms]


@dataclass(frozen=True)
class Cell:
    """One visit of one participant."""

    visit: Visit
    state: State
    questions: int

    @property
    def name(self) -> str:
        """What the cell's link says: ``TKY-0042-K, 3 months, Complete, 1 question``."""
        words = [self.visit.participant.study_number, self.visit.label, self.state.word]
        if self.questions:
            words.append(
                ngettext("%(n)d question", "%(n)d questions", self.questions)
                % {"n": self.questions}
            )
        return ", ".join(words)


@dataclass(frozen=True)
class Row:
    """One participant: a list of cells for each column of the plan, and one for other visits."""

    participant: Participant
    cells: list[list[Cell]]
    questions: int  # of no visit


class MatrixFilters(PlainForm):
    """Site, arm, and a state that one of the participant's visits is in."""

    site = forms.ModelChoiceField(
        Site.objects.none(),
        label=_("Site"),
        required=False,
        to_field_name="prefix",
        empty_label=_("every site"),
    )
    arm = forms.ChoiceField(label=_("Arm"), required=False)
    state = forms.ChoiceField(
        label=_("With a visit"),
        required=False,
        choices=[
            ("", _("in any state")),
            ("overdue", _("overdue")),
            ("due", _("due")),
            ("missed", _("missed")),
            ("query", _("that needs an answer")),
        ],
    )

    def __init__(self, user: User, days: SiteDays, data: Any) -> None:
        super().__init__(data)
        self.user, self.days = user, days
        sites = user.sites_with(Permission.VIEW)
        arms = items_of(Participant)["arm"]
        self.fields["site"].queryset = Site.objects.filter(pk__in=sites)  # type: ignore[attr-defined]
        self.fields["arm"].choices = [  # type: ignore[attr-defined]
            ("", _("every arm")),
            *((code, arms.choice_label(code)) for code, _label in arms.choices),
        ]
        if len(sites) == 1:
            del self.fields["site"]

    @property
    def filtered(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    def narrow(self, rows: Any) -> Any:
        """``rows`` narrowed to what is chosen; none when it cannot be understood."""
        if not self.is_valid():
            return rows.none()
        chosen = self.cleaned_data
        if chosen.get("site"):
            rows = rows.filter(site=chosen["site"])
        if chosen["arm"]:
            rows = rows.filter(arm=chosen["arm"])
        visits = Visit.objects.filter(participant=OuterRef("pk"))
        today = self.days.after()
        if chosen["state"] == "overdue":
            rows = rows.filter(Exists(visits.overdue(today)))
        elif chosen["state"] == "due":
            rows = rows.filter(Exists(visits.due(today)))
        elif chosen["state"] == "missed":
            rows = rows.filter(Exists(visits.exclude(missed_because="")))
        elif chosen["state"] == "query":
            asked = DataQuery.objects.for_user(self.user).unanswered()
            rows = rows.filter(Exists(asked.filter(participant_no=OuterRef("pk"))))
        return rows


@needs(Permission.VIEW)
def matrix(request: UserRequest) -> HttpResponse:
    """A page of participants with the state of each of their visits."""
    days = SiteDays(request.user.sites_with(Permission.VIEW))
    filters = MatrixFilters(request.user, days, request.GET)
    participants = Participant.objects.visible_to(request.user).select_related("site")
    page = Paginator(filters.narrow(participants), PAGE).get_page(request.GET.get("page"))
    people = list(page.object_list)
    context = {
        "form": filters,
        "problems": filters.problems,
        "page": page,
        "columns": [one.label for one in PLANNED],
        "rows": _rows(request.user, days, people),
        "at": remember(request, [at_participant(one.pk) for one in people]),
    }
    status = 422 if filters.problems else 200
    return render(request, "desk/matrix.html", context, status=status)


def _rows(user: User, days: SiteDays, people: list[Participant]) -> list[Row]:
    at_visits, elsewhere = _questions(user, people)
    columns = {planned.code: column for column, planned in enumerate(PLANNED)}
    cells: dict[int, list[list[Cell]]] = {
        one.pk: [[] for _column in range(len(PLANNED) + 1)] for one in people
    }
    visits = Visit.objects.filter(participant__in=people).with_status(days.after())
    by_key = {one.pk: one for one in people}
    for visit in visits.order_by("target_on", "pk"):
        visit.participant = by_key[visit.participant_id]
        cell = Cell(visit, show_state(visit.status), at_visits[visit.pk])
        cells[visit.participant_id][columns.get(visit.code, len(PLANNED))].append(cell)
    return [Row(one, cells[one.pk], elsewhere[one.pk]) for one in people]


def _questions(user: User, people: list[Participant]) -> tuple[Counter[int], Counter[int]]:
    """How many open questions there are by visit, and by participant of no visit.

    A query knows its record by label and key only, so each kind of record is asked for its visits.
    """
    keys: dict[str, dict[int, list[int]]] = {}  # label → key → a participant for each question
    asked = DataQuery.objects.for_user(user).unanswered()
    for label, key, no in asked.filter(participant_no__in=[one.pk for one in people]).values_list(
        "label", "key", "participant_no"
    ):
        keys.setdefault(label, {}).setdefault(key, []).append(no)
    at_visits: Counter[int] = Counter()
    elsewhere: Counter[int] = Counter()
    for label, asked_of in keys.items():
        model = apps.get_model(label)
        visits: dict[int, int | None] = {}
        if issubclass(model, Crf):
            visits = dict(model.objects.filter(pk__in=asked_of).values_list("pk", "entry__visit"))
        for key, numbers in asked_of.items():
            if visit := visits.get(key):
                at_visits[visit] += len(numbers)
            else:
                elsewhere.update(numbers)
    return at_visits, elsewhere
