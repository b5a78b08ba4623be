"""Forms of users, roles, sites and tokens."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.core.errors import RefusedError

from .actions import LONGEST_TOKEN_DAYS
from .models import Site, check_time_zone
from .roles import ROLE_NAMES, Role

DATE_ORDERS = [
    ("", _("asked about each time")),
    ("dmy", _("day first")),
    ("mdy", _("month first")),
]


class PlainForm(forms.Form):
    """A form of things that are no clinical record, drawn by ``access/_fields.html``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            self.word(field)

    @staticmethod
    def word(field: forms.Field) -> forms.Field:
        """Let the message of a missing answer name the answer."""
        field.error_messages["required"] = gettext("%(label)s: still to be answered.") % {
            "label": field.label
        }
        return field

    @property
    def problems(self) -> list[tuple[str, str]]:
        """(id of the control, message) of every error, for the summary on top of the page."""
        return [
            (self[name].auto_id if name in self.fields else "", str(message))
            for name, messages in self.errors.items()
            for message in messages
        ]

    def refuse(self, refused: RefusedError) -> None:
        """Show an action's refusal at its item."""
        self.add_error(refused.item if refused.item in self.fields else None, str(refused))


class NewUserForm(PlainForm):
    name = forms.CharField(label=_("Name"), max_length=120)
    email = forms.EmailField(label=_("E-mail"), max_length=254)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)


class UserForm(NewUserForm):
    is_active = forms.BooleanField(
        label=_("Active"),
        required=False,
        help_text=_("Who is not active cannot log in; it holds from the next request on."),
    )


class RoleForm(PlainForm):
    role = forms.ChoiceField(
        label=_("Role"), choices=[("", "—"), *((role.value, ROLE_NAMES[role]) for role in Role)]
    )
    site = forms.ModelChoiceField(
        Site.objects.all(), label=_("Site"), required=False, empty_label=_("central")
    )


class SiteForm(PlainForm):
    name = forms.CharField(label=_("Name"), max_length=120)
    time_zone = forms.CharField(
        label=_("Time zone"), max_length=60, help_text=_("A name like Asia/Tokyo.")
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    sending_hour = forms.TypedChoiceField(
        label=_("Sending hour of recall mails"),
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        coerce=int,
        initial=7,
    )
    date_order = forms.ChoiceField(label=_("All-number dates"), choices=DATE_ORDERS, required=False)

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        check_time_zone(name)
        return name


class NewSiteForm(SiteForm):
    prefix = forms.CharField(  # type: ignore[assignment]
        label=_("Prefix of study numbers"),
        max_length=4,
        help_text=_("Two to four letters, like TKY. It cannot be changed later."),
    )
    field_order = ["prefix"]

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"].strip().upper()
        if not re.fullmatch("[A-Z]{2,4}", prefix):
            raise forms.ValidationError(_("Type two to four letters from A to Z."))
        if Site.objects.filter(prefix=prefix).exists():
            raise forms.ValidationError(_("Another site has this prefix."))
        return prefix


class TokenForm(PlainForm):
    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What it is for, like “backup script”.")
    )
    days = forms.IntegerField(
        label=_("Days until it expires"),
        min_value=1,
        max_value=LONGEST_TOKEN_DAYS,
        initial=90,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )


def initial_of(record: Any, form: type[forms.Form]) -> dict[str, Any]:
    """What the controls of ``form`` show of a stored record."""
    return {name: getattr(record, name) for name in form.base_fields}
