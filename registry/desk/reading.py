"""Reading back one typed number or date while its page is being filled.

The page asks here, so that what it shows is what the form will store: there is no second reader
in the browser.
"""

from __future__ import annotations

from datetime import date

from django.http import JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dates import (
    read_date,
    read_partial_date,
    relative_date,
    show_long_date,
    show_partial_date,
)
from registry.core.dictionary import Item, Kind, Privacy
from registry.core.forms import Clock
from registry.core.numbers import (
    UnreadableError,
    convert,
    in_unit,
    read_number,
    read_whole,
    rounded,
    show_number,
)
from registry.visits.crf import FORMS
from registry.visits.models import Visit

Reading = dict[str, str]


@needs(Permission.ENTER)
@require_POST
def read(request: UserRequest) -> JsonResponse:
    """How ``text`` in the control ``name`` of kind ``kind`` is read, as JSON.

    ``says`` is what was understood, ``error`` instead what to do; ``value`` is what the box should
    hold when it was typed relative to today, or as ``unit`` turned into ``to_unit``. Optional:
    ``visit`` (pk), ``unit``, ``to_unit``. What cannot be read is an answer too, hence 200.
    """
    sent = request.POST
    text, kind = sent.get("text", "")[:200], sent.get("kind", "")
    visit = _visit(request, sent.get("visit", ""))
    try:
        if kind in (Kind.NUMBER, Kind.YEAR):
            item = _item(sent.get("name", "")) or Item(Kind.NUMBER, "", Privacy.WITHHOLD)
            return JsonResponse(_number(item, text, sent.get("unit", ""), sent.get("to_unit", "")))
        if kind in (Kind.DATE, Kind.PARTIAL_DATE):
            site = visit.participant.site if visit else _site(request)
            clock = Clock(site.today, visit.attended_on if visit else None, site.date_order)
            return JsonResponse(_date(text, clock, visit, partial=kind == Kind.PARTIAL_DATE))
    except UnreadableError as error:
        return JsonResponse({"error": str(error)})
    return JsonResponse({})


def _visit(request: UserRequest, key: str) -> Visit | None:
    visits = Visit.objects.visible_to(request.user, Permission.ENTER)
    return visits.select_related("participant__site").filter(pk=read_whole(key)).first()


def _site(request: UserRequest) -> Site:
    return Site.objects.filter(pk__in=request.user.sites_with(Permission.ENTER)).order_by("pk")[0]


def _item(control: str) -> Item | None:
    """The item behind a control's name, ``<form>[-<limb>][-<occurrence>]-<item>``."""
    form, _dash, rest = control.partition("-")
    return FORMS[form].items().get(rest.rpartition("-")[2]) if form in FORMS else None


def _number(item: Item, text: str, unit: str, to_unit: str) -> Reading:
    number = read_number(text, item.possible)
    if item.kind == Kind.YEAR or not item.unit:
        return {"says": show_number(number.comparator, number.value, "")}
    unit = unit if unit in item.units else item.unit
    says = show_number(number.comparator, number.value, unit)
    if unit != item.unit:
        stored = rounded(convert(number.value, unit, item.unit, item.also), item.places)
        says += f" = {show_number(number.comparator, stored, item.unit)}"
    if to_unit in item.units:
        return {"says": says, "value": in_unit(number, unit, to_unit, item.unit, item.also)}
    return {"says": says}


def _date(text: str, clock: Clock, visit: Visit | None, *, partial: bool) -> Reading:
    relative = relative_date(text.strip(), clock.today, clock.visit_on)
    fixed = {"value": relative.isoformat()} if relative else {}
    if partial:
        known = read_partial_date(
            text, today=clock.today, visit_on=clock.visit_on, order=clock.order
        )
        return {"says": show_partial_date(known)} | fixed
    day = read_date(text, today=clock.today, visit_on=clock.visit_on, order=clock.order)
    distance = _distance(day, visit) if visit else ""
    return {"says": ", ".join(filter(None, (show_long_date(day), distance)))} | fixed


def _distance(day: date, visit: Visit) -> str:
    """How far a day lies from baseline or, at baseline itself, from the visit."""
    begin = Visit.objects.filter(participant=visit.participant_id, code="BL").first() or visit
    if begin.attended_on is None:
        begin = visit
    if begin.attended_on is None:
        return ""
    days = (day - begin.attended_on).days
    if days == 0:
        said = _("the day of %(visit)s")
    elif days > 0:
        said = ngettext("%(days)s day after %(visit)s", "%(days)s days after %(visit)s", days)
    else:
        said = ngettext("%(days)s day before %(visit)s", "%(days)s days before %(visit)s", -days)
    return said % {"days": abs(days), "visit": begin.label}
