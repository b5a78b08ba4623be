"""Data queries: their list, one with its thread, asking, answering, and the way to the field."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as noop
from django.views.decorators.http import require_POST

from registry.access.models import Site, SiteRecord
from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs
from registry.core.dictionary import items_of
from registry.core.errors import RefusedError
from registry.core.numbers import UnreadableError
from registry.core.pages import page_of
from registry.participants.models import Participant
from registry.quality import actions
from registry.quality.models import DataQuery
from registry.quality.rules import Act, Owner
from registry.ulcers.models import Ulcer
from registry.visits.crf import Crf

from . import notes
from .places import form_label, places_of

AGES = (7, 14, 30, 90)
SORTS = {"opened": "opened_at", "state": "state", "site": "site__prefix"}
OWNERS = {
    Owner.SITE: noop("Site"),
    Owner.MONITOR: noop("Monitor"),
    Owner.DATA_MANAGER: noop("Data manager"),
}


# -- the list ------------------------------------------------------------------------------------


@needs(Permission.VIEW)
def queries(request: UserRequest) -> HttpResponse:
    """Queries that concern the user; the filters are in the address, so a list can be shared.

    ``state`` (open ones when empty), ``site``, ``form``, ``owner``, ``days`` (at least so old),
    ``participant`` (a study number in any spelling), ``sort`` (a column, ``-`` for descending).
    """
    asked = request.GET
    visible = DataQuery.objects.for_user(request.user)
    found, problems = _filtered(request, visible)
    sort = asked.get("sort", "opened")
    if sort.removeprefix("-") not in SORTS:
        sort = "opened"
    column = ("-" if sort.startswith("-") else "") + SORTS[sort.removeprefix("-")]
    page = page_of(found.select_related("site").order_by(column, "pk"), asked.get("page"))
    places = places_of(page.object_list)
    labels = visible.order_by().values_list("label", flat=True).distinct()
    context = {
        "page": page,
        "rows": [(query, places[query.pk], _owner(query)) for query in page.object_list],
        "problems": problems,
        "states": DataQuery.State.choices,
        "sites": Site.objects.filter(pk__in=request.user.sites_with(Permission.VIEW)),
        "forms": sorted((form_label(label), label) for label in labels),
        "owners": [(code, _(word)) for code, word in OWNERS.items()],
        "ages": AGES,
        "columns": _columns(sort),
        "filtered": any(asked.get(name) for name in FILTERS),
        "may_see_rules": request.user.may(Permission.MANAGE_DATA),
    }
    return render(request, "quality/queries.html", context, status=422 if problems else 200)


FILTERS = ("state", "site", "form", "owner", "days", "participant")


def _filtered(
    request: UserRequest, found: Any
) -> tuple[QuerySet[DataQuery], list[tuple[str, str]]]:
    """The queries asked for, and what could not be read; an unknown choice filters nothing."""
    asked = {name: request.GET.get(name, "").strip() for name in FILTERS}
    if asked["state"] in DataQuery.State.values:
        found = found.filter(state=asked["state"])
    else:
        found = found.unanswered()
    if asked["site"].isascii() and asked["site"].isdigit():
        found = found.filter(site=int(asked["site"][:9]))
    if asked["form"]:
        found = found.filter(label=asked["form"])
    if asked["owner"] in OWNERS:
        found = found.owned_by(asked["owner"])
    if asked["days"] in map(str, AGES):
        found = found.older_than(int(asked["days"]))
    if asked["participant"]:
        sites = request.user.sites_with(Permission.VIEW)
        try:
            who = Participant.objects.visible_to(request.user).numbered(asked["participant"], sites)
        except UnreadableError as error:
            return found.none(), [("id_participant", str(error))]
        found = found.filter(participant_no__in=who.values("pk"))
    return found, []


def _columns(sort: str) -> list[dict[str, str]]:
    """The heads of the list's columns: those that sort say where a press leads and how they are."""
    shown = sort.removeprefix("-")
    heads = [
        ("state", _("State")),
        ("", _("Question")),
        ("", _("Place")),
        ("site", _("Site")),
        ("opened", _("Opened")),
        ("", _("Who must act")),
    ]
    return [
        {
            "label": label,
            "sort": (f"-{name}" if sort == name else name) if name else "",
            "aria": ("descending" if sort.startswith("-") else "ascending")
            if name == shown
            else "",
        }
        for name, label in heads
    ]


# -- one query -----------------------------------------------------------------------------------


@needs(Permission.VIEW)
def query(request: UserRequest, pk: int) -> HttpResponse:
    """Go to the control, the ulcer or the participant that the query is about."""
    found = get_object_or_404(DataQuery.objects.for_user(request.user), pk=pk)
    url = places_of([found])[found.pk].url
    if not url:
        raise Http404
    return redirect(url)


@needs(Permission.VIEW)
def thread(request: UserRequest, pk: int) -> HttpResponse:
    """One query: its place, its thread, and what the user may do to it."""
    return _thread(request, _visible(request, pk))


@needs(Permission.ENTER, Permission.RAISE_QUERY, Permission.MANAGE_DATA)
@require_POST
def act(request: UserRequest, pk: int, act: str) -> HttpResponse:
    """Answer, close or re-open a query, from its page or from beside the item."""
    found = _visible(request, pk)
    if act not in list(Act):
        raise Http404
    text = request.POST.get(f"text-{pk}", request.POST.get("text", ""))
    try:
        changed = actions.act_on(by=request.user, query=found, act=Act(act), text=text)
    except RefusedError as refused:
        if request.htmx:
            return notes.show_note(request, found.label, found.key, found.item, refused, pk, text)
        return _thread(request, _visible(request, pk), str(refused), text)
    if request.htmx:
        return notes.show_note(request, changed.label, changed.key, changed.item)
    messages.success(request, _("The query is %(state)s.") % {"state": changed.get_state_display()})
    if "beside" in request.POST:
        return redirect("query", pk)
    return redirect("query_thread", pk)


def _owner(query: DataQuery) -> str:
    """Who must act, in words; nothing once it is closed."""
    return _(OWNERS[query.owner]) if query.owner in OWNERS else ""


def _visible(request: UserRequest, pk: int) -> DataQuery:
    visible = DataQuery.objects.for_user(request.user)
    return get_object_or_404(visible.select_related("site", "opened_by", "closed_by"), pk=pk)


def _thread(
    request: UserRequest, query: DataQuery, problem: str = "", text: str = ""
) -> HttpResponse:
    context = {
        "query": query,
        "place": places_of([query])[query.pk],
        "turns": query.messages.select_related("by"),
        "owner": _owner(query),
        "may": {one.value: query.may(request.user, one) for one in Act},
        "problems": [("id_text", problem)] if problem else [],
        "text": text,
    }
    return render(request, "quality/query.html", context, status=422 if problem else 200)


# -- asking --------------------------------------------------------------------------------------


@needs(Permission.RAISE_QUERY)
def ask(request: UserRequest, label: str, key: int, item: str) -> HttpResponse:
    """Ask about one item of a record: a box beside the item (htmx), or a page of its own."""
    record, participant_no = _record(request, label, key, item)
    problem, text = "", request.POST.get(f"ask-{label}-{key}-{item}", "")
    text = text or request.POST.get("text", "")
    if request.method == "POST":
        try:
            raised = actions.raise_query(
                by=request.user, record=record, participant_no=participant_no, item=item, text=text
            )
        except RefusedError as refused:
            problem = str(refused)
        else:
            if request.htmx:
                return notes.show_note(request, label, key, item)
            messages.success(request, _("The question is asked."))
            return redirect("query_thread", raised.pk)
    context = {
        "label": label,
        "key": key,
        "item": item,
        "place": places_of([_unasked(record, participant_no, item)])[0],
        "text": text,
        "problems": [("id_text", problem)] if problem else [],
    }
    if request.htmx:
        return render(request, "quality/_ask.html", context)
    return render(request, "quality/ask.html", context, status=422 if problem else 200)


def _record(request: UserRequest, label: str, key: int, item: str) -> tuple[SiteRecord, int]:
    """The record asked about and its participant's id; 404 for what takes no query."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise Http404 from None
    if not issubclass(model, Crf | Ulcer | Participant) or item not in items_of(model):
        raise Http404
    record = fetch(request, model.objects.all(), Permission.RAISE_QUERY, pk=key)
    if isinstance(record, Crf):
        return record, record.entry.participant_id
    return record, record.pk if isinstance(record, Participant) else record.participant_id


def _unasked(record: SiteRecord, participant_no: int, item: str) -> DataQuery:
    """A query about to be asked, for the words of its place."""
    return DataQuery(
        pk=0,
        label=record._meta.label_lower,
        key=record.pk,
        item=item,
        participant_no=participant_no,
    )
