"""The forms of a visit as blank paper, for the days on which the registry cannot be reached."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import ABSENCE_CODES, Item
from registry.visits.crf import FORMS, FormKind, LimbCrf, VisitCrf
from registry.visits.models import LIMBS, Visit

from .visit import visible_visit


@dataclass(frozen=True)
class Question:
    """An item, and its options with their codes."""

    item: Item
    options: list[tuple[str, str]]  # code, empty where the words say it; words


@dataclass(frozen=True)
class Paper:
    """One form: its questions, and a blank column for each of its places."""

    kind: FormKind
    questions: list[Question]
    places: list[str]


@needs(Permission.VIEW)
def blank(request: UserRequest, pk: int) -> HttpResponse:
    """Every form that the plan asks at the visit, with the codes beside the options."""
    visit = visible_visit(request, pk, Permission.VIEW)
    context = {
        "visit": visit,
        "participant": visit.participant,
        "papers": [_paper(visit, FORMS[one.form], one.sections) for one in visit.asked],
        "absences": [_(words) for words in ABSENCE_CODES.values()],
    }
    return render(request, "desk/blank.html", context)


def _paper(visit: Visit, kind: FormKind, sections: tuple[str, ...]) -> Paper:
    questions = [
        Question(item, [_option(code, item.choice_label(code)) for code, _l in item.choices])
        for item in kind.items(sections).values()
        if item.typed
    ]
    if issubclass(kind.model, LimbCrf):
        places = [str(name) for _limb, name in LIMBS]
    elif issubclass(kind.model, VisitCrf):
        places = [""]
    else:  # one column an ulcer; one more for a new one
        known = [occurrence for _limb, occurrence in kind.model.places(visit)]
        places = [*known, _("Ulcer: ______")]
    return Paper(kind, questions, places)


def _option(code: str, label: str) -> tuple[str, str]:
    """The code and the words of an option; no code where they say it themselves.

    A step of a score always stands before its words: of “2 to 6 cm” the 2 is none.
    """
    words = set(re.findall(r"\w+", label))
    says_it = label == code or (not code.isdigit() and set(code.split("_")) <= words)
    return ("" if says_it else code, label)
