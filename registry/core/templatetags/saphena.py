"""Filters every page needs."""

from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.core.dates import show_date, show_moment, show_partial_date
from registry.core.forms import show_value
from registry.core.states import show_state

register = template.Library()


@register.filter
def day(value: date | datetime | str | None) -> str:
    """A date with a letter month; a partial date with what is unknown said."""
    if not value:
        return ""
    if isinstance(value, str):
        return show_partial_date(value)
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    return show_date(value)


@register.filter
def moment(value: datetime | None) -> str:
    """A moment in the page's time zone, with the zone named."""
    return show_moment(value) if value else ""


@register.filter
def clock(value: datetime) -> str:
    """The time of day of a moment in the page's time zone, after its day unless that is today."""
    local = timezone.localtime(value)
    on = "" if local.date() == timezone.localdate() else f"{show_date(local.date())}, "
    return f"{on}{local:%H:%M}"


@register.filter
def in_words(record: Any, name: str) -> str:
    """An item of a record in words, with its unit or absence code."""
    return show_value(record._meta.get_field(name).item, getattr(record, name), record, name)


@register.inclusion_tag("parts/state.html")
def state(code: str) -> dict[str, Any]:
    """A state as icon, word and colour."""
    return {"state": show_state(code)}


@register.filter
def state_word(code: str) -> str:
    """A state's word alone."""
    return show_state(code).word


@register.simple_tag
def printed_by(user: Any) -> str:
    """Who has the page before him, and since when: for paper."""
    return _("printed by %(who)s, %(when)s") % {"who": user.name, "when": moment(timezone.now())}


@register.filter
def label(record: Any) -> str:
    """A record's model as ``app.model``, the label under which its history is kept."""
    return str(record._meta.label_lower)
