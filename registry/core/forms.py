"""The paper form on screen: controls, reading and findings of a record's items.

One class serves every declared record. Controls are text boxes read by :mod:`.numbers` and
:mod:`.dates` (never ``type=number`` or ``type=date``), radios with nothing preselected, and
beside each item its unit and its absence code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from .dates import read_date, read_partial_date, show_date, show_partial_date
from .dictionary import ABSENCE_CODES, Item, Kind
from .findings import Finding, Level, judge
from .numbers import UnreadableError, convert, read_number, rounded

RADIOS_UP_TO = 7


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
    box = forms.TextInput(attrs={"autocomplete": "off"})
    numeric = forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal"})
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
                widget=forms.RadioSelect,
                coerce=lambda text: text == "True",
                empty_value=None,
                required=False,
                **options,
            )
        case Kind.MULTI:
            return forms.TypedMultipleChoiceField(
                choices=choices,
                widget=forms.CheckboxSelectMultiple,
                empty_value=None,
                required=False,
                **options,
            )
        case Kind.CHOICE | Kind.SCORE:
            radios = len(choices) <= RADIOS_UP_TO
            return forms.TypedChoiceField(
                choices=choices if radios else [("", "—"), *choices],
                widget=forms.RadioSelect if radios else forms.Select,
                coerce=int if item.kind == Kind.SCORE else str,
                empty_value=None,
                required=False,
                **options,
            )
        case Kind.TEXT:
            area = forms.Textarea(attrs={"rows": 2, "autocomplete": "off"})
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
            plain = f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
            return f"{'' if sign == '=' else sign + ' '}{plain} {item.unit}".strip()
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
    errors: list[str]
    warning: str
    last: str
    recorded: str
    note: Any

    @property
    def grouped(self) -> bool:
        """Whether the control is a group of radios or boxes, labelled by a legend."""
        return isinstance(self.field.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple)


class ItemsForm(forms.Form):
    """Reads and judges the items of one record.

    After ``is_valid()``: ``values`` (column → value, companions included), ``absent`` (item →
    code), ``confirmed`` (item → value confirmed) and ``findings``. With ``draft=True`` what was
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
        prefix: str | None = None,
    ) -> None:
        self.items = {
            name: item for name, item in items.items() if not item.derived and not item.companion_of
        }
        self.last, self.last_on = last, last_on
        self.recorded = {name: v for name, v in (recorded or {}).items() if v is not None}
        self.draft = draft
        self.notes: Mapping[str, Any] = {}  # item → what its page says beside it
        super().__init__(data, prefix=prefix, initial=dict(initial or {}) | self._stored(record))
        for name, item in self.items.items():
            self.fields[name] = control(item, clock)
            if item.also:
                units = [(unit, unit) for unit in item.units]
                self.fields[f"{name}__unit"] = forms.ChoiceField(
                    choices=units, widget=forms.RadioSelect, required=False, label=_("unit")
                )
                self.initial.setdefault(f"{name}__unit", item.unit)
            if item.absence:
                codes = [("", "—"), *((code, _(word)) for code, word in ABSENCE_CODES.items())]
                self.fields[f"{name}__absent"] = forms.ChoiceField(
                    choices=codes, required=False, label=_("no answer because")
                )
            if item.expected:
                self.fields[f"{name}__confirm"] = forms.BooleanField(
                    required=False, label=_("It is right")
                )
        self.values: dict[str, Any] = {}
        self.absent: dict[str, str] = {}
        self.confirmed: dict[str, str] = {}
        self.findings: list[Finding] = []

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
            if code := cleaned.get(f"{name}__absent"):
                self.absent[name] = code
            if cleaned.get(f"{name}__confirm") and self.values.get(name) is not None:
                self.confirmed[name] = str(self.values[name])
        self.findings = judge(self.items, self.values, self.absent, self.confirmed)
        unreadable = set(self.errors)
        for finding in self.findings:
            if finding.item not in unreadable and finding.level in (
                Level.IMPOSSIBLE,
                Level.MISSING,
            ):
                self.add_error(finding.item, finding.message)
        return cleaned

    def _take_number(self, name: str, item: Item, typed: Any, unit: str) -> None:
        value = convert(typed.value, unit, item.unit, item.also)
        if not item.also and value != rounded(value, item.places):
            self.add_error(
                name,
                _("%(label)s is kept with %(places)s decimals.")
                % {"label": item.label, "places": item.places},
            )
        self.values[name] = rounded(value, item.places)
        if item.comparator:
            self.values[f"{name}_comparator"] = typed.comparator
        elif typed.comparator != "=":
            self.add_error(
                name, _("%(label)s takes a number without < or >.") % {"label": item.label}
            )
        if item.also:
            self.values[f"{name}_typed"] = f"{typed.value:f}"
            self.values[f"{name}_unit"] = unit

    @cached_property
    def judged(self) -> bool:
        return self.is_bound and not self.draft

    def rows(self) -> Iterator[Row]:
        """The items in the order of the paper form."""
        warnings = {
            finding.item: finding.message
            for finding in self.findings
            if finding.level == Level.UNUSUAL
        }
        for name, item in self.items.items():
            confirm = f"{name}__confirm"
            shows_confirm = name in warnings or name in self.confirmed or self.initial.get(confirm)
            yield Row(
                name=name,
                item=item,
                field=self[name],
                unit=self[f"{name}__unit"] if item.also else None,
                absent=self[f"{name}__absent"] if item.absence else None,
                confirm=self[confirm] if item.expected and shows_confirm else None,
                errors=[str(error) for error in self.errors.get(name, ())] if self.judged else [],
                warning=warnings.get(name, ""),
                last=show_value(item, getattr(self.last, name), self.last, name)
                if self.last
                else "",
                recorded=show_value(item, self.recorded.get(name)),
                note=self.notes.get(name),
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


def _as_sent(field: forms.Field, shown: Any) -> list[str]:
    """An initial value as its control would send it."""
    if isinstance(field, forms.BooleanField):
        return ["on"] if shown else []
    if isinstance(shown, list | tuple):
        return [str(one) for one in shown]
    return [] if shown is None else [str(shown)]
