"""Reading and showing dates, exact and partial (``ux.md`` rules 9–12 and appendix 1)."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from django.utils import dates as names
from django.utils import timezone
from django.utils.translation import gettext as _

from .numbers import UnreadableError

YEARS = (1900, 2200)
LONGEST = 40  # characters; no spelling of a date or a time is longer
# English, Portuguese: what people type whatever the page's language.
_MONTHS = {
    word: number
    for words in (
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "jan fev mar abr mai jun jul ago set out nov dez",
        "january february march april may june july august september october november december",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    )
    for number, word in enumerate(words.split(), 1)
}
_ERAS = {"R": 2018, "令和": 2018, "H": 1988, "平成": 1988, "S": 1925, "昭和": 1925}

_DAY = [
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日"),
    re.compile(r"(?P<d>\d{1,2})[ .-]*(?:de )?(?P<month>[^\W\d_]{3,})[ .-]*(?:de )?(?P<y>\d{4})"),
    re.compile(
        r"(?P<era>R|H|S|令和|平成|昭和)(?P<ey>\d{1,2})[.年/](?P<m>\d{1,2})[.月/](?P<d>\d{1,2})日?",
        re.IGNORECASE,
    ),
]
_MONTH = [
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})"),
    re.compile(r"(?P<m>\d{1,2})/(?P<y>\d{4})"),
    re.compile(r"(?P<y>\d{4})年(?P<m>\d{1,2})月"),
    re.compile(r"(?P<month>[^\W\d_]{3,})[ .-]*(?:de )?(?P<y>\d{4})"),
]
# A part typed as unknown, at the end or (of dates that begin with the day) the beginning. Each
# question mark is a part: one mark or two in each would be tried in every combination.
_UNKNOWN = re.compile(
    r"(?:[-/. ]*(?:\?|uk|unk)(?:日|月)?)+$|^(?:(?:\?{1,2}|uk|unk)[-/. ]+)+", re.IGNORECASE
)
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.h時](?P<minute>\d{2})?分?)?|(?P<both>\d{4})", re.IGNORECASE
)
_TWO_ORDERS = re.compile(r"(?P<a>\d{1,2})[/.-](?P<b>\d{1,2})[/.-](?P<y>\d{4})")


def read_date(text: str, *, today: date, visit_on: date | None = None, order: str = "") -> date:
    """Read an exact date.

    ``t`` is ``today`` (in the site's time zone), ``v`` the visit's date, ``-3`` three days ago.
    All-number day and month are asked about unless only one reading exists or the site has
    declared its ``order`` (``dmy`` or ``mdy``). Raises :class:`UnreadableError`.
    """
    typed = _typed(text)
    if day := relative_date(typed, today, visit_on):
        return day
    for shape in _DAY:
        if found := shape.fullmatch(typed):
            parts = found.groupdict()
            year = _ERAS[parts["era"].upper()] + int(parts["ey"]) if "era" in parts else parts["y"]
            month = _month(parts["month"], text) if "month" in parts else parts["m"]
            return _day(_year(year), int(month), int(parts["d"]))
    if found := _TWO_ORDERS.fullmatch(typed):
        return _two_orders(int(found["a"]), int(found["b"]), _year(found["y"]), typed, order)
    if _read_month(typed, text):
        raise UnreadableError(
            _("“%(text)s” lacks the day. Type the full date.") % {"text": text.strip()}
        )
    raise UnreadableError(
        _("“%(text)s” cannot be read as a date. Type it like 2026-04-03 or 3 Apr 2026.")
        % {"text": text.strip()}
    )


def _typed(text: str) -> str:
    """``text`` with each character in one spelling; nothing for what is too long to be read."""
    bare = text.strip()
    return unicodedata.normalize("NFKC", bare).strip() if len(bare) <= LONGEST else ""


def relative_date(typed: str, today: date, visit_on: date | None = None) -> date | None:
    """The day meant by ``t``, ``v`` or ``-3``; None for any other text."""
    if typed.lower() == "t":
        return today
    if typed.lower() == "v":
        return visit_on
    if re.fullmatch(r"-\d{1,3}", typed):
        return today - timedelta(days=int(typed[1:]))
    return None


def read_time(text: str) -> time:
    """Read a time of day on the clock of 24 hours: ``9:30``, ``09.30``, ``9h30``, ``0930``, ``9``.

    Raises :class:`UnreadableError`.
    """
    found = _TIME.fullmatch(_typed(text))
    if found:
        both = found["both"] or f"{int(found['hour']):02d}{found['minute'] or '00'}"
        hour, minute = int(both[:2]), int(both[2:])
        if hour < 24 and minute < 60:
            return time(hour, minute)
    raise UnreadableError(
        _("“%(text)s” cannot be read as a time. Type it like 14:30.") % {"text": text.strip()}
    )


def read_partial_date(
    text: str, *, today: date, visit_on: date | None = None, order: str = ""
) -> str:
    """Read a date known to the year, month or day; returns ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``.

    Raises :class:`UnreadableError`.
    """
    typed = _UNKNOWN.sub("", _typed(text))
    if re.fullmatch(r"\d{4}年?", typed):
        return f"{_year(typed[:4]):04d}"
    if month := _read_month(typed, text):
        return month
    return read_date(typed or text, today=today, visit_on=visit_on, order=order).isoformat()


def _read_month(typed: str, text: str) -> str:
    for shape in _MONTH:
        if found := shape.fullmatch(typed):
            parts = found.groupdict()
            month = int(_month(parts["month"], text) if "month" in parts else parts["m"])
            if 1 <= month <= 12:
                return f"{_year(parts['y']):04d}-{month:02d}"
    return ""


def _year(number: str | int) -> int:
    """A year that somebody alive may have written; others are slips of the keyboard."""
    if not YEARS[0] <= int(number) <= YEARS[1]:
        raise UnreadableError(
            _("The year %(year)s cannot be: years lie from %(low)s to %(high)s.")
            % {"year": number, "low": YEARS[0], "high": YEARS[1]}
        )
    return int(number)


def _month(word: str, text: str) -> int:
    try:
        return _MONTHS[word.lower()]
    except KeyError:
        raise UnreadableError(
            _("“%(word)s” in “%(text)s” is no month.") % {"word": word, "text": text.strip()}
        ) from None


def _two_orders(first: int, second: int, year: int, typed: str, order: str) -> date:
    readings = {"dmy": (second, first), "mdy": (first, second)}
    possible = {name: pair for name, pair in readings.items() if 1 <= pair[0] <= 12}
    if order in possible and len(possible) == 2:
        possible = {order: readings[order]}
    if len(set(possible.values())) == 1:
        month, day = next(iter(possible.values()))
        return _day(year, month, day)
    if not possible:
        return _day(year, second, first)
    raise UnreadableError(
        _("“%(text)s” can mean %(one)s or %(other)s. Type the month in letters.")
        % {
            "text": typed,
            "one": show_date(date(year, second, first)),
            "other": show_date(date(year, first, second)),
        }
    )


def _day(year: int, month: int, day: int) -> date:
    if not 1 <= month <= 12:
        raise UnreadableError(_("There is no month %(month)s.") % {"month": month})
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise UnreadableError(
            _("There is no %(day)s %(month)s %(year)s.")
            % {"day": day, "month": names.MONTHS[month], "year": year}
        )
    return date(year, month, day)


def show_date(day: date) -> str:
    """A date with a letter month, so that no reader takes the day for the month (rule 10)."""
    return _("%(day)s %(month)s %(year)s") % {
        "day": day.day,
        "month": names.MONTHS_3[day.month].capitalize(),
        "year": day.year,
    }


def show_long_date(day: date) -> str:
    """A date with its weekday, as read back to who typed it: “Fri 3 April 2026”."""
    return _("%(weekday)s %(day)s %(month)s %(year)s") % {
        "weekday": names.WEEKDAYS_ABBR[day.weekday()].capitalize(),
        "day": day.day,
        "month": names.MONTHS[day.month].capitalize(),
        "year": day.year,
    }


def show_moment(
    moment: datetime, zone: tzinfo | None = None, show: Callable[[date], str] = show_date
) -> str:
    """A moment on the clock of ``zone`` (the page's, if none), with the zone named."""
    local = timezone.localtime(moment, zone)
    name = local.tzname() or ""
    return _("%(day)s, %(time)s %(zone)s") % {
        "day": show(local.date()),
        "time": f"{local:%H:%M}",
        "zone": name if name.isalpha() else f"UTC{name}",  # many zones have but a number: “-03”
    }


@dataclass(frozen=True)
class Span:
    """The days a partial date may mean, first and last included."""

    first: date
    last: date


def span(partial: str) -> Span:
    """The days ``partial`` (``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``) may mean."""
    parts = [int(part) for part in partial.split("-")]
    first = date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)
    if len(parts) == 1:
        return Span(first, date(parts[0], 12, 31))
    if len(parts) == 2:
        return Span(first, first.replace(day=calendar.monthrange(*parts)[1]))
    return Span(first, first)


def precision(partial: str) -> str:
    """``year``, ``month`` or ``day``."""
    return ("year", "month", "day")[partial.count("-")]


def show_partial_date(partial: str) -> str:
    """A partial date with what is not known said: “May 2026 (day unknown)”."""
    day = span(partial).first
    if precision(partial) == "day":
        return show_date(day)
    if precision(partial) == "month":
        month = _("%(month)s %(year)s") % {
            "month": names.MONTHS[day.month].capitalize(),
            "year": day.year,
        }
        return _("%(month)s (day unknown)") % {"month": month}
    return _("%(year)s (month unknown)") % {"year": day.year}


def moment(text: str) -> datetime:
    """A moment as ISO 8601 with its offset from UTC. Raises ValueError with what to write."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text}” is no time; write it like 2026-05-01T07:00+09:00.") from None
    if found.tzinfo is None:
        raise ValueError(f"“{text}” says no offset from UTC; add one, like +09:00 or Z.")
    if not 2000 <= found.year < 2200:
        raise ValueError(f"“{text}” lies outside the years 2000 to 2199.")
    return found
