"""The upload of a film, and the reader's form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.core.dictionary import items_of
from registry.core.forms import Clock, ItemsForm, Row

from . import rules
from .models import Reading, Xray
from .zones import ZONES


class FilmForm(forms.Form):
    """One file; the problems of its content come from the action."""

    film = forms.FileField(
        label=_("Film"),
        help_text=_("One DICOM, PNG or JPEG file. Names and dates in it are removed."),
        widget=forms.FileInput(
            attrs={"accept": ".dcm,.png,.jpg,.jpeg,application/dicom", "class": "form-control"}
        ),
        error_messages={
            "required": _("Choose a file."),
            "empty": _("The file is empty."),
            "missing": _("Choose a file."),
        },
    )

    @property
    def problems(self) -> Iterable[tuple[str, str]]:
        """(id of the control, message) of every error, for the summary on top of the page."""
        return [
            (self["film"].id_for_label, str(message))
            for messages in self.errors.values()
            for message in messages
        ]


class ReadingForm(ItemsForm):
    """What a reader answers about one study: the zones its films show start unanswered."""

    def __init__(self, xray: Xray, *, data: Any = None) -> None:
        self.seen = xray.zones_seen
        items = items_of(Reading)
        self.unseen = [items[zone].label for zone in ZONES if zone not in self.seen]
        asked = {
            name: item
            for name, item in items.items()
            if name != "mode" and (name not in ZONES or name in self.seen)
        }
        super().__init__(asked, Clock(timezone.localdate()), data=data)

    def rows_of_zones(self) -> list[Row]:
        return [row for row in self.rows() if row.name in ZONES]

    def rows_before_zones(self) -> list[Row]:
        """Quality, calcification and pattern."""
        return [row for row in self.rows() if row.name in ("quality", "calcification", "pattern")]

    def rows_after_zones(self) -> list[Row]:
        shown = {row.name for row in [*self.rows_before_zones(), *self.rows_of_zones()]}
        return [row for row in self.rows() if row.name not in shown]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        unseen = {zone: "not_assessable" for zone in ZONES if zone not in self.seen}
        for finding in rules.cross_checks(self.values | unseen, self.seen):
            self.add_error(finding.item, finding.message)
        return cleaned
