"""One declaration per clinical item.

Each function here writes one item of a paper form as a *stock* Django field with a frozen
:class:`Item` attached (``field.item``). Column, limits in the database, control on the page,
edit checks, codebook, export column and API field are all read off that one line, so adding
an item is one line and one generated migration. Migrations hold only stock fields and CHECK
constraints; editing a label, an expected range or a help text makes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext


class Privacy(StrEnum):
    """How a value may leave the registry (``forms.md``, "How to read")."""

    RELEASE = "release"  # as it is
    GROUP = "group"  # coarsened by the dataset's profile
    DATE = "date"  # as a study day: days from enrolment
    WITHHOLD = "withhold"  # never


class Kind(StrEnum):
    """What an item holds."""

    DATE = "date"
    PARTIAL_DATE = "partial_date"
    YEAR = "year"
    NUMBER = "number"
    SCORE = "score"
    CHOICE = "choice"
    MULTI = "multi"
    YES_NO = "yes_no"
    TEXT = "text"
    FILE = "file"
    KEPT = "kept"  # keys, bookkeeping, encrypted identifiers


# Any item may carry one of these instead of a value.
ABSENCE_CODES: Mapping[str, str] = {
    "not_done": "not done",
    "unknown": "unknown",
    "not_applicable": "not applicable",
    "refused": "refused",
    "not_assessable": "not assessable",
}
COMPARATORS = ("=", "<", ">")
NUMBER = r"-?[0-9]+([.][0-9]+)?"
PARTIAL_DATE = r"^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$"

Range = tuple[float, float]


@dataclass(frozen=True)
class Item:
    """Everything about an item that is not its column.

    ``possible`` and ``expected`` are closed ranges in ``unit``; ``also`` maps each other unit of
    entry to the factor that turns it into ``unit``; ``when`` names the items (and the value or
    values) under which the item is asked, ``required_when`` those under which it must be answered;
    ``choices`` are (code, label) in order, which is one of degree where they are ``ordered``;
    ``pattern`` is what a text must match as a whole.
    """

    kind: Kind
    text: str
    privacy: Privacy
    unit: str = ""
    also: Mapping[str, float] = field(default_factory=dict)
    choices: tuple[tuple[str, str], ...] = ()
    ordered: bool = False
    possible: Range | None = None
    expected: Range | None = None
    places: int = 0
    required: bool = False
    required_when: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] = field(default_factory=dict)
    alone: str = ""
    section: str = ""
    help_text: str = ""
    code: str = ""
    since: str = "1.0"
    derived: bool = False
    comparator: bool = False
    limits: bool = False
    absence: bool = True
    companion_of: str = ""
    one_line: bool = False
    pattern: str = ""

    @property
    def label(self) -> str:
        """The item's question in the reader's language."""
        return gettext(self.text)

    @property
    def typed(self) -> bool:
        """Whether a person answers it: neither computed nor a companion of another."""
        return not self.derived and not self.companion_of

    @property
    def help(self) -> str:
        return gettext(self.help_text) if self.help_text else ""

    @property
    def units(self) -> tuple[str, ...]:
        return (self.unit, *self.also) if self.unit else ()

    def choice_label(self, code: str) -> str:
        """The answer in words; a code without any, or of an older protocol, as it is."""
        return gettext(dict(self.choices).get(code, code))

    def asked(self, values: Mapping[str, Any]) -> bool:
        """Whether ``values`` (item → value) satisfy every condition of ``when``."""
        return _hold(self.when, values)

    def needed(self, values: Mapping[str, Any]) -> bool:
        """Whether the item must be answered beside ``values``."""
        if self.required_when:
            return self.asked(values) and _hold(self.required_when, values)
        return self.required and self.asked(values)


def _hold(conditions: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    for name, wanted in conditions.items():
        value = values.get(name)
        allowed = wanted if isinstance(wanted, tuple | list | set | frozenset) else (wanted,)
        if isinstance(value, list):
            if not set(value) & set(allowed):
                return False
        elif value not in allowed:
            return False
    return True


def _attach(column: Any, item: Item) -> Any:
    column.item = item
    return column


def _choices(choices: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for choice_ in choices:
        code, label = choice_ if isinstance(choice_, tuple) else (choice_, None)
        pairs.append((str(code), label if label is not None else str(code).replace("_", " ")))
    return tuple(pairs)


def date(label: str, *, privacy: str = "date", **about: Any) -> Any:
    """A full calendar date."""
    return _attach(models.DateField(null=True, blank=True), _item(Kind.DATE, label, privacy, about))


def partial_date(label: str, *, privacy: str = "date", **about: Any) -> Any:
    """A date known to the year, the month or the day: ``2026``, ``2026-05`` or ``2026-05-01``.

    The text's length is its precision; nothing is ever filled in.
    """
    return _attach(
        models.CharField(max_length=10, null=True, blank=True),
        _item(Kind.PARTIAL_DATE, label, privacy, about),
    )


def year(label: str, *, privacy: str = "date", possible: Range = (1900, 2200), **about: Any) -> Any:
    """A calendar year; leaves as years before enrolment."""
    return _attach(
        models.SmallIntegerField(null=True, blank=True),
        _item(Kind.YEAR, label, privacy, about, possible=possible),
    )


def number(
    label: str,
    *,
    unit: str = "",
    possible: Range,
    expected: Range | None = None,
    also: Mapping[str, float] | None = None,
    places: int = 0,
    privacy: str = "release",
    **about: Any,
) -> Any:
    """A measured number with ``places`` decimals, stored in ``unit``.

    With ``also`` it may be entered in another unit; what was typed and its unit are then kept
    beside it. With ``comparator=True`` it may be a censored value (``< 0.1``), with
    ``limits=True`` it keeps the laboratory's reference limits of the day.
    """
    return _attach(
        models.DecimalField(max_digits=12, decimal_places=places, null=True, blank=True),
        _item(
            Kind.NUMBER,
            label,
            privacy,
            about,
            unit=unit,
            possible=possible,
            expected=expected,
            also=dict(also or {}),
            places=places,
        ),
    )


def score(label: str, anchors: Sequence[str], *, privacy: str = "release", **about: Any) -> Any:
    """An ordered integer from 0; ``anchors`` give the meaning of each step."""
    return _attach(
        models.SmallIntegerField(null=True, blank=True),
        _item(
            Kind.SCORE,
            label,
            privacy,
            about,
            choices=tuple((str(step), anchor) for step, anchor in enumerate(anchors)),
            possible=(0, len(anchors) - 1),
        ),
    )


def choice(label: str, choices: Sequence[Any], *, privacy: str = "release", **about: Any) -> Any:
    """One of ``choices``: codes, or (code, label) pairs."""
    pairs = _choices(choices)
    return _attach(
        models.CharField(max_length=40, null=True, blank=True),
        _item(Kind.CHOICE, label, privacy, about, choices=pairs),
    )


def multi(
    label: str, choices: Sequence[Any], *, privacy: str = "release", alone: str = "", **about: Any
) -> Any:
    """Several of ``choices``; NULL when unanswered, never empty. ``alone`` excludes the others."""
    pairs = _choices(choices)
    return _attach(
        ArrayField(models.CharField(max_length=40), null=True, blank=True),
        _item(Kind.MULTI, label, privacy, about, choices=pairs, alone=alone),
    )


def yes_no(label: str, *, privacy: str = "release", **about: Any) -> Any:
    """Yes or no; nothing is preselected."""
    return _attach(
        models.BooleanField(null=True, blank=True), _item(Kind.YES_NO, label, privacy, about)
    )


def text(label: str, *, privacy: str = "withhold", **about: Any) -> Any:
    """Free text; never leaves the registry. ``one_line=True`` for names and labels.

    With a ``pattern`` it is not free: a code of a fixed form, which may be released.
    """
    return _attach(models.TextField(null=True, blank=True), _item(Kind.TEXT, label, privacy, about))


def file(label: str, *, upload_to: Any, privacy: str = "withhold", **about: Any) -> Any:
    """A stored file; never leaves except by an approved image release."""
    return _attach(
        models.FileField(upload_to=upload_to, max_length=255, blank=True),
        _item(Kind.FILE, label, privacy, about, absence=False),
    )


def kept(column: Any, privacy: str, label: str = "") -> Any:
    """Classify a key, a bookkeeping column or an encrypted identifier."""
    return _attach(column, Item(Kind.KEPT, label, Privacy(privacy), absence=False))


def derived(
    label: str,
    expression: Any,
    output: models.Field[Any, Any],
    *,
    kind: Kind = Kind.NUMBER,
    privacy: str = "release",
    **about: Any,
) -> Any:
    """A value the database computes from the row's other items, so that it can't be wrong."""
    return _attach(
        models.GeneratedField(expression=expression, output_field=output, db_persist=True),
        _item(kind, label, privacy, about, derived=True, absence=False),
    )


def at_saving(column: Any) -> Any:
    """An item that nobody types: the record writes it in ``before_saving``, from its neighbours."""
    return _attach(column, replace(column.item, derived=True, absence=False))


def _item(kind: Kind, label: str, privacy: str, about: Mapping[str, Any], **more: Any) -> Item:
    about = dict(about)
    if "help" in about:
        about["help_text"] = about.pop("help")
    return Item(kind, label, Privacy(privacy), **{**more, **about})


# -- records ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Declaration:
    """A declared record: its codebook code and its name."""

    code: str
    text: str

    @property
    def label(self) -> str:
        return gettext(self.text)


def declared(code: str, label: str) -> Callable[[type[models.Model]], Any]:
    """Declare a model as a record of the codebook.

    Adds the companion columns of its items and a CHECK for every possible range, every list of
    choices, every partial date and every absence code.
    """

    def declare(model: type[models.Model]) -> type[models.Model]:
        model.declaration = Declaration(code, label)  # type: ignore[attr-defined]
        for name, item in items_of(model).items():
            for companion, column in _companions(name, item):
                model.add_to_class(companion, column)
        constraints = [*model._meta.constraints, *_constraints(model, code)]
        model._meta.constraints = constraints
        model._meta.original_attrs["constraints"] = constraints
        return model

    return declare


def _companions(name: str, item: Item) -> Iterator[tuple[str, Any]]:
    """The columns that stand beside a number: what was typed, its unit, comparator, limits."""
    about = {"privacy": Privacy.RELEASE, "absence": False, "companion_of": name}
    short = Item(Kind.CHOICE, item.text, **about)  # type: ignore[arg-type]
    if item.also:
        typed = replace(short, kind=Kind.TEXT, text=f"{item.text}, as typed", pattern=NUMBER)
        yield f"{name}_typed", _attach(models.CharField(max_length=20, null=True), typed)
        unit = replace(short, text=f"{item.text}, unit typed", choices=_choices(item.units))
        yield f"{name}_unit", _attach(models.CharField(max_length=10, null=True), unit)
    if item.comparator:
        comparator = replace(short, text=f"{item.text}, comparator", choices=_choices(COMPARATORS))
        yield f"{name}_comparator", _attach(models.CharField(max_length=1, null=True), comparator)
    if item.limits:
        for end, word in (("low", "lower"), ("high", "upper")):
            limit = replace(
                short,
                kind=Kind.NUMBER,
                text=f"{item.text}, laboratory's {word} limit",
                unit=item.unit,
                places=item.places,
            )
            column = models.DecimalField(max_digits=12, decimal_places=item.places, null=True)
            yield f"{name}_ref_{end}", _attach(column, limit)


def _constraints(model: type[models.Model], code: str) -> Iterator[models.CheckConstraint]:
    for name, item in items_of(model).items():
        if isinstance(model._meta.get_field(name), models.GeneratedField):
            continue
        if item.kind == Kind.MULTI:
            codes = [choice_ for choice_, _ in item.choices]
            allowed = Q(**{f"{name}__contained_by": codes}) & ~Q(**{f"{name}": []})
        elif item.kind == Kind.CHOICE:
            allowed = Q(**{f"{name}__in": [choice_ for choice_, _ in item.choices]})
        elif item.kind == Kind.PARTIAL_DATE:
            allowed = Q(**{f"{name}__regex": PARTIAL_DATE})
        elif item.pattern:
            allowed = Q(**{f"{name}__regex": f"^({item.pattern})$"})
        elif item.possible is not None:
            low, high = (Decimal(str(end)) for end in item.possible)
            allowed = Q(**{f"{name}__gte": low, f"{name}__lte": high})
        else:
            continue
        yield models.CheckConstraint(
            condition=Q(**{f"{name}__isnull": True}) | allowed,
            name=f"{code}_{name}_possible",
        )
    if "absent" in {column.name for column in model._meta.concrete_fields}:
        either = Q()
        for name, item in items_of(model).items():
            if item.absence:
                either &= ~Q(**{"absent__has_key": name, f"{name}__isnull": False})
        yield models.CheckConstraint(condition=either, name=f"{code}_value_or_absence")


def items_of(model: type[models.Model], *, kept: bool = False) -> dict[str, Item]:
    """The model's items by name, in the order of the paper form; ``kept`` ones only if asked."""
    return {
        column.name: column.item
        for column in model._meta.concrete_fields
        if hasattr(column, "item") and (kept or column.item.kind != Kind.KEPT)
    }


def declared_models() -> Iterator[type[models.Model]]:
    """Every declared record of every room, in the order of the rooms."""
    for model in apps.get_models():
        if "declaration" in vars(model):
            yield model
