"""Forms of recall: why and until when something is held back, and how a site tunes its mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.access.forms import PlainForm
from registry.access.roles import ROLE_NAMES, Role
from registry.core.forms import Clock
from registry.participants.forms import ClockForm

from .kinds import ABOUT, Kind, Setting, Tuning

WEEKDAYS = [
    *((0, _("Monday")), (1, _("Tuesday")), (2, _("Wednesday")), (3, _("Thursday"))),
    *((4, _("Friday")), (5, _("Saturday")), (6, _("Sunday"))),
]
TOLD = (Role.COORDINATOR, Role.INVESTIGATOR, Role.MONITOR, Role.DATA_MANAGER)
LONGEST_DAYS = 365
DAYS = re.compile(r"[0-9]{1,3}")


class BecauseForm(PlainForm):
    because = forms.CharField(
        label=_("Reason"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class SnoozeForm(ClockForm):
    because = forms.CharField(
        label=_("Reason"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, clock: Clock, *args: Any, **kwargs: Any) -> None:
        super().__init__(clock, *args, **kwargs)
        self.fields["until"] = self.date_field(_("Remind again on"))
        self.order_fields(["until", "because"])


class TuningForm(PlainForm):
    """How a site wants its recalls; of each kind whether, after which days, and who is told."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays of the daily mail"),
        choices=WEEKDAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )
    counts_only = forms.BooleanField(
        label=_("Counts only"),
        required=False,
        help_text=_("Mails then say how many, and never a study number."),
    )
    language = forms.ChoiceField(
        label=_("Language of the mails"),
        required=False,
        choices=[("", _("each reader's own")), *settings.LANGUAGES],
    )

    def __init__(self, tuning: Tuning, data: Any = None) -> None:
        initial: dict[str, Any] = {
            "weekdays": sorted(tuning.weekdays),
            "counts_only": tuning.counts_only,
            "language": tuning.language,
        }
        for kind, setting in tuning.settings.items():
            initial |= {
                f"{kind}-on": setting.on,
                f"{kind}-days": ", ".join(map(str, setting.days)),
                f"{kind}-roles": [str(role) for role in setting.roles],
            }
        super().__init__(data, initial=initial)
        for kind, about in ABOUT.items():
            heading = gettext(about.heading)
            self.fields[f"{kind}-on"] = forms.BooleanField(label=heading, required=False)
            self.fields[f"{kind}-days"] = forms.CharField(
                label=gettext(about.counted), max_length=60, required=False
            )
            self.fields[f"{kind}-roles"] = forms.MultipleChoiceField(
                label=_("Told to"),
                choices=[(str(role), ROLE_NAMES[role]) for role in TOLD],
                required=False,
                widget=forms.CheckboxSelectMultiple,
            )

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """The controls of each kind."""
        for kind in Kind:
            yield {name: self[f"{kind}-{name}"] for name in ("on", "days", "roles")}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for kind in Kind:
            days = f"{kind}-days"
            try:
                cleaned[days] = _days(cleaned.get(days, ""), kind)
            except ValueError as error:
                self.add_error(days, f"{gettext(ABOUT[kind].heading)}: {error}")
            if cleaned.get(f"{kind}-on") and not cleaned.get(f"{kind}-roles"):
                message = gettext("%(kind)s: choose who is told, or switch it off.")
                heading = gettext(ABOUT[kind].heading)
                self.add_error(f"{kind}-roles", message % {"kind": heading})
        return cleaned

    @property
    def tuning(self) -> Tuning:
        """What was chosen; only of a valid form."""
        said = self.cleaned_data
        chosen = {
            kind: Setting(
                said[f"{kind}-days"],
                tuple(Role(role) for role in said[f"{kind}-roles"]),
                said[f"{kind}-on"],
            )
            for kind in Kind
        }
        return Tuning(frozenset(said["weekdays"]), said["counts_only"], said["language"], chosen)


def _days(text: str, kind: Kind) -> tuple[int, ...]:
    """Days as typed, ``7, 21``. Raises ValueError with what to do."""
    parts = text.replace(",", " ").split()
    if not parts or not all(DAYS.fullmatch(part) and int(part) <= LONGEST_DAYS for part in parts):
        raise ValueError(gettext("type days from 0 to 365, like 7, 21."))
    days = [int(part) for part in parts]
    if kind == Kind.CONTACT:
        if len(days) != 2 or days[1] == 0:
            raise ValueError(gettext("type two numbers: when first, and when after an attempt."))
        return tuple(days)
    return tuple(sorted(set(days), reverse=kind in (Kind.COMING_UP, Kind.CLOSING)))
