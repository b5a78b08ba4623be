"""The groups of work: what waits for somebody, in order of urgency, each row a place to go to.

Home shows the first rows of each group and their count, the worklist the whole of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from registry.access.days import SiteDays
from registry.access.models import User
from registry.access.roles import Permission
from registry.imaging.models import Xray
from registry.participants.models import Participant
from registry.quality.models import DataQuery
from registry.quality.rules import Owner
from registry.visits.crf import FORMS
from registry.visits.models import FormEntry, Visit

from .address import url_of
from .back import at_participant, at_visit

SOON_DAYS = 7
OLD_DRAFT = timedelta(days=2)  # ux.md rule 23


@dataclass(frozen=True)
class Reader:
    """Whose work it is, and the day it is at each of their sites."""

    user: User

    @cached_property
    def days(self) -> SiteDays:
        return SiteDays(self.user.sites_with(Permission.VIEW))


@dataclass(frozen=True)
class Line:
    """One row of work: the place, where it is, and since or until when."""

    place: str  # see .back
    url: str
    participant: str
    site: str
    on: date | datetime
    visit: str = ""
    what: str = ""  # form, leg, question
    by: str = ""
    lang: str = ""  # the language of ``what``, where it is not the page's
    old: bool = False


@dataclass(frozen=True)
class Group:
    """A kind of work. ``paths`` says which column each filter of its list looks at."""

    code: str
    title: Any
    icon: str
    verb: Any  # what the row's link does
    dated: Any  # what the row's date is
    empty: Any
    rows: Callable[[Reader], QuerySet[Any]]
    line: Callable[[Any], Line]
    paths: dict[str, str]
    needs: Permission = Permission.VIEW
    what: Any = ""  # the heading of a line's ``what``, where the group has it
    by: Any = ""  # and of its ``by``
    listed_at: str = ""  # the list's own page, where it has one

    @property
    def list_name(self) -> str:
        """The name of its list's URL."""
        return f"work_{self.code}"

    @property
    def url(self) -> str:
        """Its whole list."""
        if not self.listed_at:
            return reverse(self.list_name)
        name, mark, filters = self.listed_at.partition("?")
        return f"{reverse(name)}{mark}{filters}"


# -- visits ----------------------------------------------------------------------------------------


def _visits(reader: Reader) -> Any:
    return Visit.objects.visible_to(reader.user).select_related("participant", "site")


def _visit_line(dated: str) -> Callable[[Visit], Line]:
    def line(visit: Visit) -> Line:
        on = getattr(visit, dated)
        url = reverse("visit", args=[visit.pk])
        number = visit.participant.study_number
        return Line(at_visit(visit.pk), url, number, str(visit.site), on, visit.label)

    return line


def _overdue(reader: Reader) -> QuerySet[Any]:
    return _visits(reader).overdue(reader.days.after()).order_by("closes_on", "pk")


def _due(reader: Reader) -> QuerySet[Any]:
    return _visits(reader).due(reader.days.after()).order_by("closes_on", "pk")


def _coming(reader: Reader) -> QuerySet[Any]:
    soon = _visits(reader).coming(reader.days.after(), reader.days.after(SOON_DAYS))
    return soon.order_by("opens_on", "pk")


def _to_sign(reader: Reader) -> QuerySet[Any]:
    visits = Visit.objects.waiting_for_signature(reader.user).select_related("participant", "site")
    return visits.order_by("attended_on", "pk")


def _to_sign_line(visit: Visit) -> Line:
    line = _visit_line("attended_on")(visit)
    return replace(line, url=f"{line.url}#signing")


# -- drafts, questions, films ----------------------------------------------------------------------


def _drafts(reader: Reader) -> QuerySet[Any]:
    drafts = FormEntry.objects.visible_to(reader.user, Permission.ENTER).filter(draft__isnull=False)
    return drafts.select_related("participant", "visit", "draft_by", "site").order_by(
        "draft_at", "pk"
    )


def _draft_line(entry: FormEntry) -> Line:
    number = entry.participant.study_number
    form = FORMS[entry.form].label
    if entry.visit:
        place, visit = at_visit(entry.visit.pk), entry.visit.label
    else:
        place, visit = at_participant(entry.participant_id), gettext("log")
    return Line(
        place,
        url_of(entry),
        number,
        str(entry.site),
        entry.draft_at,
        visit,
        f"{form}, {entry.place}" if entry.place else form,
        str(entry.draft_by),
        old=entry.draft_at < timezone.now() - OLD_DRAFT,
    )


def _questions(owner: Owner) -> Callable[[Reader], QuerySet[Any]]:
    def rows(reader: Reader) -> QuerySet[Any]:
        queries = DataQuery.objects.for_user(reader.user).owned_by(owner)
        queries = queries.select_related("site")
        about = Participant.objects.filter(pk=OuterRef("participant_no"))
        number = Subquery(about.values("study_number"))
        return queries.annotate(study_number=number).order_by("opened_at", "pk")

    return rows


def _question_line(query: Any) -> Line:
    url = reverse("query", args=[query.pk])
    site = str(query.site)
    return Line(
        at_participant(query.participant_no),
        url,
        query.study_number,
        site,
        query.opened_at,
        what=query.message,
        lang="en" if query.rule else "",
    )


def _films(reader: Reader) -> QuerySet[Any]:
    films = Xray.objects.films_without_grade(reader.user)
    return films.select_related("entry__visit__participant", "site").order_by("acquired_on", "pk")


def _film_line(xray: Any) -> Line:
    visit = xray.entry.visit
    url = reverse("films", args=[visit.pk, xray.entry.limb])
    number = visit.participant.study_number
    site = str(xray.site)
    return Line(
        at_visit(visit.pk), url, number, site, xray.acquired_on, visit.label, xray.entry.place
    )


VISIT_PATHS = {"site": "site", "visit": "code"}

OVERDUE = Group(
    "overdue",
    _("Overdue"),
    "clock-alert",
    _("Record the visit"),
    _("Window closed"),
    _("No visit is overdue."),
    _overdue,
    _visit_line("closes_on"),
    VISIT_PATHS | {"age": "closes_on"},
)
DUE = Group(
    "due",
    _("Due this week"),
    "calendar-clock",
    _("Start the visit"),
    _("Window closes"),
    _("No window is open."),
    _due,
    _visit_line("closes_on"),
    VISIT_PATHS,
)
COMING = Group(
    "coming",
    _("Opening soon"),
    "calendar",
    _("See the visit"),
    _("Window opens"),
    _("No window opens within 7 days."),
    _coming,
    _visit_line("opens_on"),
    VISIT_PATHS,
)
DRAFTS = Group(
    "drafts",
    _("Drafts"),
    "pencil-line",
    _("Go on with the draft"),
    _("Last saved"),
    _("No form is half done."),
    _drafts,
    _draft_line,
    {"site": "site", "visit": "visit__code", "form": "form", "age": "draft_at"},
    Permission.ENTER,
    what=_("Form"),
    by=_("Draft of"),
)
TO_ANSWER = Group(
    "to_answer",
    _("Questions to answer"),
    "message-circle-question-mark",
    _("Answer"),
    pgettext_lazy("a question", "Asked"),
    _("No question is open."),
    _questions(Owner.SITE),
    _question_line,
    {},
    listed_at="queries?owner=site",
)
TO_CLOSE = Group(
    "to_close",
    _("Answers to look at"),
    "message-circle",
    _("Look at the answer"),
    pgettext_lazy("a question", "Asked"),
    _("No answer waits for you."),
    _questions(Owner.MONITOR),
    _question_line,
    {},
    Permission.RAISE_QUERY,
    listed_at="queries?owner=monitor",
)
TO_DECIDE = Group(
    "to_decide",
    _("Questions for the data manager"),
    "message-circle",
    _("Decide"),
    pgettext_lazy("a question", "Asked"),
    _("No question waits for you."),
    _questions(Owner.DATA_MANAGER),
    _question_line,
    {},
    Permission.MANAGE_DATA,
    listed_at="queries?owner=data_manager",
)
TO_SIGN = Group(
    "to_sign",
    _("Waiting for signature"),
    "signature",
    _("Sign the visit"),
    _("Attended"),
    _("No visit waits for your signature."),
    _to_sign,
    _to_sign_line,
    VISIT_PATHS | {"age": "attended_on"},
    Permission.SIGN,
)
FILMS = Group(
    "films",
    _("Films without a grade"),
    "scan",
    _("See the films"),
    _("Film taken"),
    _("Every film has its grade."),
    _films,
    _film_line,
    {"site": "site", "visit": "entry__visit__code", "age": "acquired_on"},
    what=_("Leg"),
)

# In the order of home. A new group is one line here.
GROUPS = [TO_DECIDE, TO_CLOSE, TO_SIGN, OVERDUE, DUE, COMING, DRAFTS, TO_ANSWER, FILMS]


def groups_of(user: User) -> list[Group]:
    """The groups of work that ``user`` has, in the order of home."""
    return [group for group in GROUPS if user.may(group.needs)]
