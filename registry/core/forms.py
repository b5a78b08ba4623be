"""The paper form on screen: controls, reading and findings of a record's items.

One class serves every declared record. Controls are text boxes read by :mod:`.numbers` and
:mod:`.dates` (never ``type=number`` or ``type=date``), radios with nothing preselected, and
beside each item its unit and its absence code.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django import forms
from django.forms.utils import ErrorDict
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .controls import Area, Box, Boxes, Menu, Radios, Tick, Units
from .dates import read_date, read_partial_date, relative_date, show_date, show_partial_date
from .dictionary import ABSENCE_CODES, Item, Kind
from .findings import Finding, Level, factor_hint, judge
from .numbers import UnreadableError, convert, read_number, rounded, show_number

RADIOS_UP_TO = 7
MANY, SHORT = 9, 14  # answers beyond which they stand in columns; letters of a short one
# Typed into any item's box, or pressed on its radios.
TYPED_CODES = {
    ".nd": "not_done",
    ".uk": "unknown",
    ".na": "not_applicable",
    ".rf": "refused",
    ".as": "not_assessable",
}
DAYS_A_MONTH = 30.4375
REST = "__rest"  # names the items that “the rest not done” filled, so that it undoes as one


@dataclass(frozen=True)
class Clock:
    """What typed dates may refer to: the site's today and day-month order, the visit's date."""

    today: date
    visit_on: date | None = None
    order: str = ""


class ReadField(forms.CharField):
    """A text box whose text is read by a function raising :class:`UnreadableError`."""

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        super().__init__(required=False, **options)
        self.read = read

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        if not typed:
            return None
        try:
            return self.read(typed)
        except UnreadableError as error:
            raise forms.ValidationError(str(error)) from error


def control(item: Item, clock: Clock) -> forms.Field:
    """The form field that shows and reads one item."""
    choices: list[tuple[Any, str]] = [(code, item.choice_label(code)) for code, _l in item.choices]
    if item.kind == Kind.SCORE:  # the step is what clinicians say, the anchor what it means
        choices = [(step, label if step == label else f"{step} {label}") for step, label in choices]
    options: dict[str, Any] = {"label": item.label, "help_text": item.help}
    box = Box(attrs={"autocomplete": "off", "data-kind": item.kind.value})
    numeric = Box(attrs=box.attrs | {"inputmode": "decimal"})
    match item.kind:
        case Kind.NUMBER | Kind.YEAR:
            return ReadField(
                lambda text: read_number(text, item.possible), widget=numeric, **options
            )
        case Kind.DATE:
            return ReadField(
                lambda text: read_date(
                    text, today=clock.today, visit_on=clock.visit_on, order=clock.order
                ),
                widget=box,
                **options,
            )
        case Kind.PARTIAL_DATE:
            return ReadField(
                lambda text: read_partial_date(
                    text, today=clock.today, visit_on=clock.visit_on, order=clock.order
                ),
                widget=box,
                **options,
            )
        case Kind.YES_NO:
            return forms.TypedChoiceField(
                choices=[("True", _("yes")), ("False", _("no"))],
                widget=Radios,
                coerce=lambda text: text == "True",
                empty_value=None,
                required=False,
                **options,
            )
        case Kind.MULTI:
            return forms.TypedMultipleChoiceField(
                choices=choices,
                widget=Boxes,
                empty_value=None,
                required=False,
                **options,
            )
        case Kind.CHOICE | Kind.SCORE:
            radios = len(choices) <= RADIOS_UP_TO
            return forms.TypedChoiceField(
                choices=choices if radios else [("", "—"), *choices],
                widget=Radios if radios else Menu,
                coerce=int if item.kind == Kind.SCORE else str,
                empty_value=None,
                required=False,
                **options,
            )
        case Kind.TEXT:
            area = Area(attrs={"autocomplete": "off"})
            return forms.CharField(
                widget=box if item.one_line else area,
                required=False,
                max_length=4000,
                empty_value=None,
                **options,
            )
        case _:
            raise TypeError(f"{item.kind} has no control")


def show_value(item: Item, value: Any, record: Any = None, name: str = "") -> str:
    """A stored value in words, with its unit; the absence code's words when there is none."""
    if value is None:
        code = getattr(record, "absent", {}).get(name) if record is not None else None
        return _(ABSENCE_CODES[code]) if code else ""
    match item.kind:
        case Kind.DATE:
            return show_date(value)
        case Kind.PARTIAL_DATE:
            return show_partial_date(value)
        case Kind.YES_NO:
            return _("yes") if value else _("no")
        case Kind.MULTI:
            return ", ".join(item.choice_label(code) for code in value)
        case Kind.CHOICE | Kind.SCORE:
            return item.choice_label(str(value))
        case Kind.NUMBER:
            sign = getattr(record, f"{name}_comparator", None) or "="
            return show_number(sign, value, item.unit)
        case _:
            return str(value)


@dataclass(frozen=True)
class Row:
    """One item on the page."""

    name: str
    item: Item
    field: forms.BoundField
    unit: forms.BoundField | None
    absent: forms.BoundField | None
    confirm: forms.BoundField | None
    because: forms.BoundField | None
    copied: forms.BoundField | None
    errors: list[str]
    warning: str
    last: str
    recorded: str
    note: Any
    notice: str = ""
    proposed: str = ""  # moving on passes it by while it stands

    @property
    def grouped(self) -> bool:
        """Whether the control is a group of radios or boxes, labelled by a legend."""
        return isinstance(self.field.field.widget, Radios | Boxes)

    @property
    def spread(self) -> str:
        """The classes of many answers: they stand in columns, wider ones for longer words."""
        labels = [self.item.choice_label(code) for code, _label in self.item.choices]
        if len(labels) <= MANY:
            return ""
        return "choices-many" + (" choices-long" if max(map(len, labels)) > SHORT else "")

    @property
    def coded(self) -> str:
        """The words of the absence code that stands in the item's place."""
        return _(ABSENCE_CODES[code]) if (code := self._code) in ABSENCE_CODES else ""

    @property
    def _code(self) -> str:
        return (self.absent.value() or "") if self.absent else ""

    @property
    def when(self) -> str:
        """What the page needs to reveal the item: its parents' answers, as they are posted."""
        return json.dumps(
            {
                name: [str(one) for one in wanted]
                if isinstance(wanted, tuple | list | set | frozenset)
                else [str(wanted)]
                for name, wanted in self.item.when.items()
            }
        )


class ItemsForm(forms.Form):
    """Reads and judges the items of one record.

    After ``is_valid()``: ``values`` (column → value, companions included), ``absent`` (item →
    code), ``confirmed`` (item → value confirmed), ``because`` (item → why it is right, which nobody
    has to say) and ``findings``. With ``draft=True`` what was
    typed is shown as it is and nothing is judged.
    """

    def __init__(
        self,
        items: Mapping[str, Item],
        clock: Clock,
        *,
        data: Any = None,
        record: Any = None,
        last: Any = None,
        last_on: date | None = None,
        recorded: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        draft: bool = False,
        copies: bool = False,
        prefix: str | None = None,
    ) -> None:
        self.items = {name: item for name, item in items.items() if item.typed}
        self.clock, self.last, self.last_on = clock, last, last_on
        self.recorded = {name: v for name, v in (recorded or {}).items() if v is not None}
        self.draft, self.copies = draft, copies
        self.notes: Mapping[str, Any] = {}  # item → what its page says beside it
        self.notices: Mapping[str, str] = getattr(record, "notices", {})
        self.proposals = dict(initial or {})
        super().__init__(data, prefix=prefix, initial=self.proposals | self._stored(record))
        if data is not None:
            self.data = self._settled(data, clock)
        self.record = record
        self.fields[REST] = forms.CharField(required=False, widget=forms.HiddenInput)
        codes = self.absence_codes
        for name, item in self.items.items():
            self.fields[name] = control(item, clock)
            if item.also:
                units = [(unit, unit) for unit in item.units]
                self.fields[f"{name}__unit"] = forms.ChoiceField(
                    choices=units, widget=Units, required=False, label=_("unit")
                )
                self.initial.setdefault(f"{name}__unit", item.unit)
            if item.absence:
                self.fields[f"{name}__absent"] = forms.ChoiceField(
                    choices=[("", "—"), *codes],
                    required=False,
                    widget=Menu,
                    label=_("no answer because"),
                )
            if item.kind == Kind.NUMBER:
                self.fields[f"{name}__confirm"] = forms.BooleanField(
                    required=False, widget=Tick, label=_("It is right")
                )
                self.fields[f"{name}__because"] = forms.CharField(
                    required=False, max_length=200, widget=Box(attrs={"autocomplete": "off"})
                )
            if copies:
                self.fields[f"{name}__copied"] = forms.BooleanField(
                    required=False, widget=Tick, label=_("copied, not yet confirmed")
                )
        self.values: dict[str, Any] = {}
        self.absent: dict[str, str] = {}
        self.confirmed: dict[str, str] = {}
        self.because: dict[str, str] = {}
        self.findings: list[Finding] = []

    @property
    def errors(self) -> ErrorDict:
        """What is wrong; of a draft nothing, since it is not judged."""
        return ErrorDict() if self.draft else super().errors

    @property
    def rest(self) -> forms.BoundField:
        """The hidden control naming what :meth:`fill_rest` filled last."""
        return self[REST]

    def sound_values(self) -> dict[str, Any]:
        """The values read so far that could be stored: neither unreadable nor impossible."""
        self.full_clean()
        wrong = {one.item for one in self.findings if one.level == Level.IMPOSSIBLE}
        return {name: value for name, value in self.values.items() if name not in wrong}

    @property
    def absence_codes(self) -> list[tuple[str, str]]:
        return [(code, _(words)) for code, words in ABSENCE_CODES.items()]

    @property
    def last_ago(self) -> str:
        """How long before this visit the last values are, in words."""
        if self.last_on is None:
            return ""
        days = ((self.clock.visit_on or self.clock.today) - self.last_on).days
        if days < DAYS_A_MONTH:
            return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}
        months = round(days / DAYS_A_MONTH)
        return ngettext("%(months)s month", "%(months)s months", months) % {"months": months}

    def _settled(self, data: Any, clock: Clock) -> Any:
        """``data`` with typed absence codes moved to their place and relative dates made fixed.

        A draft opened tomorrow would otherwise read ``t`` as another day.
        """
        changed: dict[str, str] = {}
        for name, item in self.items.items():
            key = self.add_prefix(name)
            typed = unicodedata.normalize("NFKC", data.get(key) or "").strip().lower()
            if item.absence and typed in TYPED_CODES:
                changed |= {key: "", self.add_prefix(f"{name}__absent"): TYPED_CODES[typed]}
            elif item.kind in (Kind.DATE, Kind.PARTIAL_DATE):
                day = relative_date(typed, clock.today, clock.visit_on)
                if day:
                    changed[key] = day.isoformat()
        if not changed:
            return data
        data = data.copy()
        for key, text in changed.items():
            data[key] = text
        return data

    # -- several items at once (ux.md rules 3 and 19) ---------------------------------------------

    def fill_rest(self, code: str) -> int:
        """Give every item still owed an answer the absence ``code``; returns how many."""
        self.full_clean()
        rest = [
            name
            for name, item in self.items.items()
            if item.absence and self._blank(name) and item.asked(self.values)
        ]
        self._change({f"{name}__absent": [code] for name in rest} | {REST: [" ".join(rest)]})
        return len(rest)

    def undo_rest(self) -> int:
        """Take back the last :meth:`fill_rest` where its codes still stand; returns how many."""
        filled = [name for name in " ".join(self._raw(REST)).split() if name in self.items]
        self._change({f"{name}__absent": [""] for name in filled} | {REST: [""]})
        return len(filled)

    def copy_from(self, other: ItemsForm) -> int:
        """Fill the blanks with the answers of ``other``, marked as copied; returns how many."""
        taken = [
            name
            for name in self.items
            if f"{name}__copied" in self.fields and self._blank(name) and not other._blank(name)
        ]
        for name in taken:
            columns = (name, f"{name}__unit", f"{name}__absent")
            answer = {one: other._raw(one) for one in columns if other._raw(one)}
            self._change(answer | {f"{name}__copied": ["on"]})
        return len(taken)

    def _raw(self, name: str) -> list[str]:
        typed = cast("MultiValueDict[str, str]", self.data)
        return typed.getlist(self.add_prefix(name)) if name in self.fields else []

    def _blank(self, name: str) -> bool:
        """Whether an item has neither an answer nor an absence code."""
        return not any(text.strip() for one in (name, f"{name}__absent") for text in self._raw(one))

    def _change(self, changed: Mapping[str, list[str]]) -> None:
        data = cast("MultiValueDict[str, str]", self.data).copy()
        for name, texts in changed.items():
            if name in self.fields:
                data.setlist(self.add_prefix(name), texts)
        self.data = data

    def disable(self) -> None:
        """Show the answers for reading only."""
        for shown in self.fields.values():
            shown.disabled = True

    def _stored(self, record: Any) -> dict[str, Any]:
        """Initial values of the controls from a stored record."""
        shown: dict[str, Any] = {}
        if record is None:
            return shown
        for name, item in self.items.items():
            value = getattr(record, name)
            if value is None:
                continue
            if item.kind in (Kind.NUMBER, Kind.YEAR):
                shown[name] = self._number_as_typed(record, name, item)
                if item.also:
                    shown[f"{name}__unit"] = getattr(record, f"{name}_unit")
            else:
                shown[name] = value.isoformat() if isinstance(value, date) else value
        for name, code in getattr(record, "absent", {}).items():
            shown[f"{name}__absent"] = code
        for name in getattr(record, "confirmed", {}):
            shown[f"{name}__confirm"] = True
        return shown

    @staticmethod
    def _number_as_typed(record: Any, name: str, item: Item) -> str:
        sign = getattr(record, f"{name}_comparator", None) or "="
        typed = getattr(record, f"{name}_typed", None)
        return ("" if sign == "=" else sign) + (
            typed or show_value(Item(item.kind, "", item.privacy), getattr(record, name))
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, item in self.items.items():
            value = cleaned.get(name)
            if value is not None and item.kind in (Kind.NUMBER, Kind.YEAR):
                self._take_number(name, item, value, cleaned.get(f"{name}__unit") or item.unit)
            else:
                self.values[name] = value
                self.values |= dict.fromkeys(_typed_beside(name, item))
            if code := cleaned.get(f"{name}__absent"):
                self.absent[name] = code
            if cleaned.get(f"{name}__confirm") and self.values.get(name) is not None:
                self.confirmed[name] = str(self.values[name])
                if because := cleaned.get(f"{name}__because"):
                    self.because[name] = because
        self.findings = judge(self.items, self.values, self.absent, self.confirmed)
        self.findings += self._tenfold()
        unreadable = set(self.errors)
        for finding in self.findings:
            if finding.item not in unreadable and finding.level in (
                Level.IMPOSSIBLE,
                Level.MISSING,
            ):
                self.add_error(finding.item, finding.message)
        copied = [name for name in self.items if cleaned.get(f"{name}__copied")]
        if copied:
            self.add_error(
                copied[0],
                _("Copied from the other leg and not yet confirmed: %(items)s.")
                % {"items": ", ".join(self.items[name].label for name in copied)},
            )
        return cleaned

    def _tenfold(self) -> Iterator[Finding]:
        """Numbers that would fit the last visit's with the decimal point moved (rule 17).

        Only the page asks: a change of ten times is no fault that a query could stand on.
        """
        asked = {finding.item for finding in self.findings}
        for name, item in self.items.items():
            value = self.values.get(name)
            if item.kind != Kind.NUMBER or value is None or self.last is None or name in asked:
                continue
            hint = factor_hint(item, value, getattr(self.last, name, None))
            if hint and self.confirmed.get(name) != str(value):
                yield Finding(Level.UNUSUAL, name, hint, "tenfold")

    def _take_number(self, name: str, item: Item, typed: Any, unit: str) -> None:
        value = convert(typed.value, unit, item.unit, item.also)
        if not item.also and value != rounded(value, item.places):
            self.add_error(
                name,
                _("%(label)s is kept with %(places)s decimals.")
                % {"label": item.label, "places": item.places},
            )
        whole = item.kind == Kind.YEAR
        self.values[name] = int(value) if whole else rounded(value, item.places)
        if item.comparator:
            self.values[f"{name}_comparator"] = typed.comparator
        elif typed.comparator != "=":
            self.add_error(
                name, _("%(label)s takes a number without < or >.") % {"label": item.label}
            )
        if item.also:
            self.values[f"{name}_typed"] = f"{typed.value:f}"
            self.values[f"{name}_unit"] = unit

    def _judge_record(self) -> list[Finding]:
        """What the stored record should still be asked about."""
        columns = [
            column
            for name, item in self.items.items()
            for column in (name, *_typed_beside(name, item))
        ]
        values = {column: getattr(self.record, column) for column in columns}
        return judge(self.items, values, self.record.absent, self.record.confirmed)

    @cached_property
    def judged(self) -> bool:
        return self.is_bound and not self.draft

    def rows(self) -> Iterator[Row]:
        """The items in the order of the paper form."""
        stored = not self.is_bound and hasattr(self.record, "confirmed")
        warnings = {
            finding.item: finding.message
            for finding in (self._judge_record() if stored else self.findings)
            if finding.level == Level.UNUSUAL
        }
        for name, item in self.items.items():
            confirm, because, copied = (
                f"{name}__{end}" for end in ("confirm", "because", "copied")
            )
            asks = confirm in self.fields and (name in warnings or bool(self[confirm].value()))
            yield Row(
                name=name,
                item=item,
                field=self[name],
                unit=self[f"{name}__unit"] if item.also else None,
                absent=self[f"{name}__absent"] if item.absence else None,
                confirm=self[confirm] if asks else None,
                because=self[because]
                if name in warnings or (asks and self[because].value())
                else None,
                copied=self[copied] if copied in self.fields and self[copied].value() else None,
                errors=[str(error) for error in self.errors.get(name, ())] if self.judged else [],
                warning=warnings.get(name, ""),
                last=show_value(item, getattr(self.last, name), self.last, name)
                if self.last and item.kind != Kind.DATE
                else "",
                recorded=show_value(item, self.recorded.get(name)),
                note=self.notes.get(name),
                notice=self.notices.get(name, ""),
                proposed=str(self.proposals.get(name, "")),
            )

    @property
    def problems(self) -> Iterable[tuple[str, str]]:
        """(id of the control, message) of every error, for the summary on top of the page."""
        if not self.judged:
            return []
        return [
            (self[name].auto_id if name in self.fields else "", str(message))
            for name, messages in self.errors.items()
            for message in messages
        ]

    def raw(self) -> dict[str, list[str]]:
        """What the controls hold as text: what was typed, or what an unbound form shows."""
        if self.is_bound:
            names = {self.add_prefix(name) for name in self.fields}
            typed = cast("MultiValueDict[str, str]", self.data)
            return {key: typed.getlist(key) for key in typed if key in names}
        return {
            self.add_prefix(name): _as_sent(field, self[name].value())
            for name, field in self.fields.items()
        }


def _typed_beside(name: str, item: Item) -> Iterator[str]:
    """The columns beside a number that say what was typed: empty when it is."""
    if item.comparator:
        yield f"{name}_comparator"
    if item.also:
        yield f"{name}_typed"
        yield f"{name}_unit"


def _as_sent(field: forms.Field, shown: Any) -> list[str]:
    """An initial value as its control would send it."""
    if isinstance(field, forms.BooleanField):
        return ["on"] if shown else []
    if isinstance(shown, list | tuple):
        return [str(one) for one in shown]
    return [] if shown is None else [str(shown)]
