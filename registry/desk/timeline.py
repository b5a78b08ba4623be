"""The leg timeline, pure: facts with their days in, marks with their places out.

One axis of time, a band for what concerns no single leg and one for each leg (right, then left),
fixed lanes in each (``ux.md`` rules 42–45; ADR 6). Every fact is one mark. Places along the time
axis are in percent of the drawing's width, so that it fits every page; heights are in px. What
must not overlap is judged at :data:`WIDTH` px, the width of a tablet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import count, pairwise
from typing import NamedTuple

from django.utils import dates as names
from django.utils.translation import gettext as _

from registry.core.dates import Span
from registry.ulcers.rules import CONFIRM_AFTER

WIDTH = 900  # px at which overlaps are judged
LEFT, RIGHT = 11.0, 99.5  # percent of the width between which time runs
SIZE = 14  # px, the height of a mark
SHIFT = 8  # px by which an overlapping mark is moved down: less than half is shared then
LABEL_SHIFTS = 12  # how often a mark is moved for its label's sake
LETTER, LINE = 6.0, 12  # px, a label's letter and line
MARGIN = 5  # px above and below a lane's marks
CLASS_STEP = 6  # px between two CEAP classes
HEADING = 22  # px, a band's name
AXIS = 24  # px, the years
MAX_TICKS = 13
DAY = timedelta(days=1)


class Lane(StrEnum):
    VISITS = "visits"
    CEAP = "ceap"
    ULCERS = "ulcers"
    FILMS = "films"
    TREATMENTS = "treatments"
    EVENTS = "events"

    @property
    def label(self) -> str:
        """The lane's name beside the drawing."""
        labels = {
            Lane.VISITS: _("Visits"),
            Lane.CEAP: _("CEAP class"),
            Lane.ULCERS: _("Ulcers"),
            Lane.FILMS: _("X-ray"),
            Lane.TREATMENTS: _("Treatment"),
            Lane.EVENTS: _("Events"),
        }
        return labels[self]


OF_A_LEG = (Lane.CEAP, Lane.ULCERS, Lane.FILMS, Lane.TREATMENTS, Lane.EVENTS)
# Band → the limbs of its facts, and its lanes from top to bottom.
BANDS: dict[str, tuple[tuple[str, ...], tuple[Lane, ...]]] = {
    "": (("", "both"), (Lane.VISITS, Lane.TREATMENTS, Lane.EVENTS)),
    "right": (("right",), OF_A_LEG),
    "left": (("left",), OF_A_LEG),
}


class Manner(StrEnum):
    """How surely a stretch of time is known."""

    KNOWN = "known"
    DOUBT = "doubt"  # the days a partial date may mean
    UNSEEN = "unseen"  # nobody looked
    WINDOW = "window"  # in which a visit may take place


@dataclass(frozen=True)
class Stretch:
    """Days from ``first`` to ``last``, both included."""

    first: date
    last: date
    manner: Manner = Manner.KNOWN


@dataclass(frozen=True)
class Sign:
    """A shape at one day; ``shape`` names a symbol of the drawing."""

    on: date
    shape: str


@dataclass(frozen=True)
class Fact:
    """One stored fact: where it belongs, what it says in words, its days, its record's address.

    ``limb`` is right, left, both, or nothing for what concerns no leg. ``level`` lifts a mark by
    so many classes; a fact with a level is joined to the next one by a step.
    """

    limb: str
    lane: Lane
    side: str
    what: str
    on: str
    value: str
    url: str
    label: str
    stretches: tuple[Stretch, ...] = ()
    signs: tuple[Sign, ...] = ()
    level: int | None = None

    @property
    def first(self) -> date:
        return min([one.first for one in self.stretches] + [one.on for one in self.signs])

    @property
    def last(self) -> date:
        return max([one.last for one in self.stretches] + [one.on for one in self.signs])

    def within(self, span: Span) -> bool:
        """Whether anything of it lies in the days ``span``."""
        days = [(one.first, one.last) for one in self.stretches]
        days += [(one.on, one.on) for one in self.signs]
        return any(first <= span.last and last >= span.first for first, last in days)

    @property
    def name(self) -> str:
        """The mark's accessible name: leg, what, date, value."""
        return f"{self.side}, {self.what}, {self.on}: {self.value}"


# -- what is drawn of an ulcer -----------------------------------------------------------------


def ulcer_course(
    onset: Span, looks: Sequence[tuple[date, str]], missed: Iterable[date], until: date
) -> tuple[tuple[Stretch, ...], tuple[Sign, ...]]:
    """The stretches in which an ulcer was open, and the signs of its closures.

    ``looks`` are (day, open | closed | merged) in the order of time, ``missed`` the days of visits
    that did not take place, ``until`` the last day on which it might have been seen. The days of
    a partial onset are in doubt; open time is known up to the next look, unless a visit between
    the two was missed; after the last look nothing is known.
    """
    stretches = []
    if onset.first < onset.last:
        stretches.append(Stretch(onset.first, onset.last - DAY, Manner.DOUBT))
    signs: list[Sign] = []
    seen_on, state, closed_on = onset.last, "open", None
    missed = sorted(missed)
    for day, now in looks:
        if state == "open" and day > seen_on:
            unseen = any(seen_on < one < day for one in missed)
            stretches.append(Stretch(seen_on, day, Manner.UNSEEN if unseen else Manner.KNOWN))
        if now == "closed":
            closed_on = closed_on or day
            shape = "healed" if day - closed_on >= CONFIRM_AFTER else "closed"
            if signs and signs[-1].on == closed_on:
                signs.pop()
            signs.append(Sign(closed_on, shape))
        else:
            closed_on = None
            if now == "merged":
                signs.append(Sign(day, "merged"))
        seen_on, state = day, now
    if state == "open" and seen_on < until:
        stretches.append(Stretch(seen_on, until, Manner.UNSEEN))
    if not stretches and not signs:
        stretches.append(Stretch(onset.first, onset.last))
    return tuple(stretches), tuple(signs)


# -- places ------------------------------------------------------------------------------------


class Box(NamedTuple):
    """A rectangle in px at :data:`WIDTH`."""

    x: float
    y: int
    width: float
    height: int

    def shared(self, other: Box) -> float:
        """The share of the smaller rectangle's area that lies in both."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        high = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        smaller = min(self.width * self.height, other.width * other.height)
        return max(0.0, wide) * max(0.0, high) / smaller


@dataclass(frozen=True)
class Label:
    """A mark's text; ``anchor`` (start, middle, end) is the side that stands at ``x``."""

    x: float
    y: int
    anchor: str
    box: Box


@dataclass(frozen=True)
class Mark:
    """A fact in its place: ``y`` is its top in the drawing, ``stretches`` (x, width, manner)."""

    fact: Fact
    y: int
    stretches: tuple[tuple[float, float, str], ...]
    signs: tuple[tuple[float, str], ...]
    box: Box
    label: Label | None = None

    @property
    def middle(self) -> int:
        return self.y + SIZE // 2


@dataclass(frozen=True)
class Step:
    """A line at the height of a CEAP class from one record to the next, then up or down to it."""

    x: float
    to_x: float
    y: int
    to_y: int


@dataclass(frozen=True)
class LaneRow:
    lane: Lane
    y: int
    marks: tuple[Mark, ...]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Band:
    limb: str
    y: int
    lanes: tuple[LaneRow, ...]

    @property
    def label(self) -> str:
        labels = {"right": _("Right leg"), "left": _("Left leg")}
        return labels.get(self.limb, _("Participant"))


@dataclass(frozen=True)
class Timeline:
    """The drawing: ``ticks`` are (x, text), ``facts`` those in range in the order of time."""

    span: Span
    height: int
    ticks: tuple[tuple[float, str], ...]
    bands: tuple[Band, ...]
    facts: tuple[Fact, ...]
    today: float
    enrolled: float | None
    end: float | None

    @property
    def marks(self) -> Iterator[Mark]:
        for band in self.bands:
            for row in band.lanes:
                yield from row.marks


@dataclass(frozen=True)
class Scale:
    """Days to percent of the drawing's width, with a little air at both ends."""

    span: Span
    air: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "air", max(1.0, (self.span.last - self.span.first).days * 0.015))

    def x(self, day: date) -> float:
        """The place of a day's beginning; days out of range stand at the range's end."""
        days = (self.span.last - self.span.first).days + 1
        inside = min(max((day - self.span.first).days, 0), days)
        return round(LEFT + (inside + self.air) / (days + 2 * self.air) * (RIGHT - LEFT), 3)


def period(facts: Iterable[Fact], today: date, months: int | None = None) -> Span:
    """The days to draw: the whole history, or the last ``months``, and the next thing to come."""
    facts = list(facts)
    begun = [fact for fact in facts if fact.first <= today]
    coming = sorted((fact for fact in facts if fact.first > today), key=lambda fact: fact.first)
    last = max([today, *(fact.last for fact in begun), *(fact.last for fact in coming[:1])])
    if months is None:
        return Span(min([today - timedelta(days=28), *(fact.first for fact in begun)]), last)
    return Span(today - timedelta(days=round(months * 30.44)), last)


def lay_out(
    facts: Iterable[Fact],
    span: Span,
    today: date,
    *,
    missed: Iterable[date] = (),
    enrolled_on: date | None = None,
    ended_on: date | None = None,
) -> Timeline:
    """Give every fact of the days ``span`` its place.

    No two marks share more than half of the smaller one's area; a label is left out where there
    is no room (the mark's name still says it). No step is drawn across a ``missed`` day.
    """
    scale = Scale(span)
    everything = sorted(facts, key=lambda fact: (fact.first, fact.last))
    inside = [one for one in everything if one.within(span)]
    bands = []
    y = AXIS
    for limb, (limbs, lanes) in BANDS.items():
        rows = []
        top = y
        y += HEADING
        for lane in lanes:
            drawn = [one for one in inside if one.limb in limbs and one.lane == lane]
            marks = _place(drawn, scale)
            low, high = _extent(marks, lane)
            down = y + MARGIN - low
            steps: tuple[Step, ...] = ()
            if lane == Lane.CEAP:
                classes = [one for one in everything if one.limb in limbs and one.lane == lane]
                steps = tuple(_steps(classes, scale, sorted(missed), down))
            rows.append(LaneRow(lane, y, tuple(_lower(one, down) for one in marks), steps))
            y += high - low + 2 * MARGIN
        bands.append(Band(limb, top, tuple(rows)))

    def inside_x(day: date | None) -> float | None:
        return scale.x(day) if day and span.first <= day <= span.last else None

    return Timeline(
        span=span,
        height=y + MARGIN,
        ticks=tuple((scale.x(day), text) for day, text in ticks(span)),
        bands=tuple(bands),
        facts=tuple(inside),
        today=scale.x(today),
        enrolled=inside_x(enrolled_on),
        end=inside_x(ended_on),
    )


def ticks(span: Span) -> list[tuple[date, str]]:
    """First days of months or years within ``span`` with their names, at most MAX_TICKS."""
    first = span.first.year * 12 + span.first.month - 1
    last = span.last.year * 12 + span.last.month - 1
    every = next(one for one in (1, 3, 6, 12, 24, 60, 120, 240) if (last - first) / one < MAX_TICKS)
    days = [date(at // 12, at % 12 + 1, 1) for at in range(first - first % every, last + 1, every)]
    return [
        (
            day,
            str(day.year)
            if every >= 12
            else _("%(month)s %(year)s")
            % {"month": names.MONTHS_3[day.month].capitalize(), "year": day.year},
        )
        for day in days
        if day >= span.first
    ]


def _place(facts: Sequence[Fact], scale: Scale) -> list[Mark]:
    """Marks of one lane, in the order of time, each as high up as it finds room."""
    placed: list[Mark] = []
    for fact in facts:
        stands = (_mark(fact, scale, shift * SHIFT) for shift in range(LABEL_SHIFTS))
        labelled = (
            replace(mark, label=label)
            for mark in stands
            if _free(mark.box, placed)
            for label in _labels(mark)
            if _free(label.box, placed)
        )
        bare = (_mark(fact, scale, shift * SHIFT) for shift in count())
        mark = next(labelled, None) or next(one for one in bare if _fits(one.box, placed))
        placed.append(mark)
    return placed


def _mark(fact: Fact, scale: Scale, shift: int) -> Mark:
    y = shift + _level(fact)
    stretches = tuple(
        (x := scale.x(one.first), max(0.25, round(scale.x(one.last + DAY) - x, 3)), one.manner)
        for one in fact.stretches
        if one.last >= scale.span.first and one.first <= scale.span.last
    )
    signs = tuple(
        (scale.x(one.on), one.shape)
        for one in fact.signs
        if scale.span.first <= one.on <= scale.span.last
    )
    half = SIZE / 2
    starts = [x * WIDTH / 100 for x, _width, _manner in stretches]
    starts += [x * WIDTH / 100 - half for x, _shape in signs]
    ends = [(x + width) * WIDTH / 100 for x, width, _manner in stretches]
    ends += [x * WIDTH / 100 + half for x, _shape in signs]
    box = Box(min(starts), y, max(ends) - min(starts), SIZE)
    return Mark(fact, y, stretches, signs, box)


def _level(fact: Fact) -> int:
    return -CLASS_STEP * (fact.level or 0)


def _labels(mark: Mark) -> Iterator[Label]:
    """Where the mark's label may stand, the best place first."""
    box, wide = mark.box, len(mark.fact.label) * LETTER
    beside = mark.y + SIZE // 2 + 4  # the baseline of a text in the mark's middle
    places: list[tuple[float, int, str, float, int]] = []
    if mark.fact.lane in (Lane.VISITS, Lane.CEAP):
        middle = (mark.signs[0][0] * WIDTH / 100) if mark.signs else box.x + box.width / 2
        under = mark.fact.lane == Lane.VISITS
        top = mark.y + SIZE if under else mark.y - LINE
        places.append((middle, top + LINE - 2, "middle", middle - wide / 2, top))
    after, before = box.x + box.width + 3, box.x - 3
    places.append((after, beside, "start", after, mark.y + 1))
    places.append((before, beside, "end", before - wide, mark.y + 1))
    for x, baseline, anchor, left, top in places:
        if left >= LEFT * WIDTH / 100 and left + wide <= WIDTH:
            x_percent = round(x / WIDTH * 100, 3)
            yield Label(x_percent, baseline, anchor, Box(left, top, wide, LINE))


def _boxes(marks: Iterable[Mark]) -> Iterator[Box]:
    for mark in marks:
        yield mark.box
        if mark.label:
            yield mark.label.box


def _free(box: Box, placed: Iterable[Mark]) -> bool:
    """Whether nothing of ``placed`` is touched."""
    return all(box.shared(other) == 0 for other in _boxes(placed))


def _fits(box: Box, placed: Iterable[Mark]) -> bool:
    """Whether no mark is covered by more than half, and no label at all."""
    return all(
        box.shared(mark.box) <= 0.5 and (mark.label is None or box.shared(mark.label.box) == 0)
        for mark in placed
    )


def _extent(marks: Sequence[Mark], lane: Lane) -> tuple[int, int]:
    """Top and bottom of a lane's marks and labels; the CEAP lane has room for every class."""
    boxes = list(_boxes(marks))
    top = -6 * CLASS_STEP if lane == Lane.CEAP else 0
    return (
        min([top, *(box.y for box in boxes)]),
        max([SIZE, *(box.y + box.height for box in boxes)]),
    )


def _lower(mark: Mark, down: int) -> Mark:
    label = mark.label
    if label:
        label = replace(label, y=label.y + down, box=_lower_box(label.box, down))
    return replace(mark, y=mark.y + down, box=_lower_box(mark.box, down), label=label)


def _lower_box(box: Box, down: int) -> Box:
    return box._replace(y=box.y + down)


def _steps(
    facts: Sequence[Fact], scale: Scale, missed: Sequence[date], down: int
) -> Iterator[Step]:
    """The lines between neighbouring classes, none across a missed visit."""
    for one, after in pairwise(facts):
        seen = not any(one.last < day < after.first for day in missed)
        in_range = after.first > scale.span.first and one.last < scale.span.last
        if seen and in_range:
            y, to_y = (_level(fact) + down + SIZE // 2 for fact in (one, after))
            yield Step(scale.x(one.last), scale.x(after.first), y, to_y)
