"""The request as a form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from registry.access.forms import PlainForm
from registry.access.models import Site

from . import rules
from .formats import FORMATS, MOST_VALUES, USUAL
from .models import DatasetProject, DatasetRequest
from .profiles import PROFILES, SAFE_HARBOR
from .words import month

YEARS = 20  # back from this one, in which a period may be chosen
CHOICES = (
    "profile",
    "formats",
    "arms",
    "sites",
    "enrolled_from",
    "enrolled_to",
    "classes",
    "forms",
)


class RequestForm(PlainForm):
    """A request of a new project, or with ``project`` another one of it.

    With ``asking=False`` only what the preview needs is required.
    """

    title = forms.CharField(label=_("Title of the project"), max_length=200)
    purpose = forms.CharField(
        label=_("Purpose"),
        help_text=_("What question the data are to answer. The steward decides by it."),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    profile = forms.ChoiceField(label=_("De-identification"), widget=forms.RadioSelect)
    formats = forms.MultipleChoiceField(
        label=_("Formats"),
        help_text=format_lazy(
            _(
                "Stata, SPSS and SAS hold tables of up to {millions} million values, rows times"
                " columns; the others any number of rows."
            ),
            millions=MOST_VALUES // 1_000_000,
        ),
        widget=forms.CheckboxSelectMultiple,
    )
    arms = forms.MultipleChoiceField(label=_("Arms"), widget=forms.CheckboxSelectMultiple)
    sites = forms.TypedMultipleChoiceField(
        label=_("Sites"),
        help_text=_("None chosen: all. Only a profile that tells sites apart lets you choose."),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    enrolled_from = forms.TypedChoiceField(
        label=_("Enrolled from the beginning of"),
        coerce=date.fromisoformat,
        empty_value=None,
        required=False,
    )
    enrolled_to = forms.TypedChoiceField(
        label=_("Enrolled until the end of"),
        help_text=_("Safe Harbor tells the year alone: choose January to December with it."),
        coerce=date.fromisoformat,
        empty_value=None,
        required=False,
    )
    classes = forms.TypedMultipleChoiceField(
        label=_("CEAP class at baseline"),
        help_text=_("Of the worse leg. None chosen: all, also those not examined yet."),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    # The last: its name hides the module's.
    forms = forms.MultipleChoiceField(
        label=_("Forms"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(
        self, *args: Any, project: DatasetProject | None = None, asking: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        labels = rules.classes()
        choices: dict[str, list[tuple[Any, str]]] = {
            "profile": [(one.code, one.label) for one in PROFILES.values()],
            "formats": [(code, one.label) for code, one in FORMATS.items()],
            "arms": list(rules.arms().items()),
            "sites": list(Site.objects.values_list("pk", "name")),
            "enrolled_from": [("", "–"), *((day, month(day)) for day in _beginnings())],
            "enrolled_to": [("", "–"), *((end, month(end)) for end in map(_end, _beginnings()))],
            "classes": [(one, labels[str(one)]) for one in rules.CLASSES],
            "forms": list(rules.forms().items()),
        }
        for name, pairs in choices.items():
            self.fields[name].choices = pairs  # type: ignore[attr-defined]
        self.initial.setdefault("profile", SAFE_HARBOR.code)
        self.initial.setdefault("formats", list(USUAL))
        for name in ("arms", "forms"):
            self.initial.setdefault(name, [code for code, _label in choices[name]])
        if project:
            del self.fields["title"], self.fields["purpose"]
        elif not asking:
            self.fields["title"].required = self.fields["purpose"].required = False

    @property
    def asked(self) -> DatasetRequest | None:
        """The request that is described so far, not saved; None while a choice is wrong."""
        chosen = self.cleaned_data if self.is_bound else self.initial
        if self.is_bound and not set(CHOICES) <= chosen.keys():
            return None
        return DatasetRequest(**{name: chosen[name] for name in CHOICES if name in chosen})


def _beginnings() -> Iterator[date]:
    """The first days of the half-years, newest first."""
    this = timezone.localdate().year
    for year in range(this, this - YEARS, -1):
        yield date(year, 7, 1)
        yield date(year, 1, 1)


def _end(beginning: date) -> date:
    """The last day of the half-year that begins then."""
    return (beginning + timedelta(days=186)).replace(day=1) - timedelta(days=1)
