"""Forms of identities, search, consent versions and withdrawal."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from registry.access.forms import PlainForm
from registry.access.models import Site
from registry.core.dates import read_date
from registry.core.dictionary import Item, items_of
from registry.core.forms import Clock, ReadField
from registry.core.numbers import UnreadableError

from . import rules, vault
from .models import Consent, ConsentVersion, Participant, Participants, Screening
from .vault import Person

# Identities are never kept by a browser.
BOX = {"autocomplete": "off"}

SCOPES = {
    "stop_contact": _("No more contact: no recall. Visits and forms go on."),
    "stop_collection": _("No more data: no recall, and nothing more may be entered."),
    "stop_sharing": _("No more sharing: the data leave with no later dataset."),
    "erase_identity": _(
        "The identity is erased for good, with every way to find it. No recall, nothing more is"
        " entered. What research may keep stays under the study number."
    ),
}


def site_clock(site: Site) -> Clock:
    return Clock(site.today, order=site.date_order)


class ClockForm(PlainForm):
    """A form with dates, read as the clinical forms read them."""

    def __init__(self, clock: Clock, *args: Any, **kwargs: Any) -> None:
        self.clock = clock
        super().__init__(*args, **kwargs)

    def date_field(self, label: Any, *, required: bool = True, help_text: Any = "") -> forms.Field:
        field = ReadField(
            lambda text: read_date(text, today=self.clock.today, order=self.clock.order),
            label=label,
            help_text=help_text,
            widget=forms.TextInput(attrs=BOX),
        )
        field.required = required
        return self.word(field)


def _box(label: Any, *, required: bool = False, longest: int = 100, help_text: Any = "") -> Any:
    return forms.CharField(
        label=label,
        required=required,
        max_length=longest,
        help_text=help_text,
        widget=forms.TextInput(attrs=BOX),
    )


class PersonForm(ClockForm):
    """An identity."""

    family_name = _box(_("Family name"), required=True)
    given_name = _box(_("Given name"), required=True)
    hospital_number = _box(_("Hospital number"), longest=40)
    phone = _box(_("Phone"), longest=40)
    email = forms.EmailField(
        label=_("E-mail"), required=False, widget=forms.EmailInput(attrs=BOX), max_length=254
    )
    address = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs=BOX | {"rows": 2}),
    )
    field_order = ["family_name", "given_name", "birth_date"]

    def __init__(self, clock: Clock, *args: Any, **kwargs: Any) -> None:
        super().__init__(clock, *args, **kwargs)
        self.fields["birth_date"] = self.date_field(_("Birth date"))
        self.order_fields(self.field_order)

    def person(self) -> Person:
        return Person(**{name: self.cleaned_data[name] for name in Person.__dataclass_fields__})


class CorrectionForm(PersonForm):
    reason = _box(_("Reason for the correction"), required=True, longest=200)


class IdentitySearchForm(ClockForm):
    """Finds a person by what is exactly theirs, through the blind indexes."""

    family_name = _box(_("Family name"))
    hospital_number = _box(_("Hospital number"), longest=40)
    phone = _box(_("Phone"), longest=40)
    field_order = ["family_name", "birth_date"]

    def __init__(self, clock: Clock, *args: Any, **kwargs: Any) -> None:
        super().__init__(clock, *args, **kwargs)
        self.fields["birth_date"] = self.date_field(_("Birth date"), required=False)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        name, birth = cleaned["family_name"], cleaned["birth_date"]
        if bool(name) != bool(birth):
            missing = "birth_date" if name else "family_name"
            self.add_error(missing, _("A name is searched with its birth date: type both."))
        elif not any(self.indexes().values()):
            self.add_error(
                None, _("Type a family name with the birth date, a hospital number or a phone.")
            )
        return cleaned

    def indexes(self) -> dict[str, bytes | None]:
        typed = self.cleaned_data
        name, birth = typed["family_name"], typed["birth_date"]
        return {
            "name_and_birth": vault.name_index(name, birth) if name and birth else None,
            "hospital_number_index": vault.hospital_number_index(typed["hospital_number"]),
            "phone_index": vault.phone_index(typed["phone"]),
        }


class FilterForm(PlainForm):
    """The list's filters; ``q`` is a study number in any spelling."""

    q = forms.CharField(
        label=_("Study number"),
        required=False,
        max_length=40,
        widget=forms.SearchInput(attrs=BOX),
    )
    site = forms.ModelChoiceField(
        Site.objects.none(),
        label=_("Site"),
        required=False,
        to_field_name="prefix",
        empty_label=_("every site"),
    )
    arm = forms.ChoiceField(label=_("Arm"), required=False)

    def __init__(self, sites: frozenset[int], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sites = sites
        arms = items_of(Participant)["arm"]
        self.fields["site"].queryset = Site.objects.filter(pk__in=sites)  # type: ignore[attr-defined]
        self.fields["arm"].choices = [  # type: ignore[attr-defined]
            ("", _("every arm")),
            *((code, arms.choice_label(code)) for code, _label in arms.choices),
        ]

    def clean_q(self) -> str:
        if typed := self.cleaned_data["q"]:
            prefixes = Site.objects.filter(pk__in=self.sites).values_list("prefix", flat=True)
            try:
                rules.read_study_number(typed).among(prefixes)
            except UnreadableError as error:
                raise forms.ValidationError(str(error)) from error
        return typed

    def chosen(self, participants: Participants) -> Participants:
        """``participants`` narrowed to the filters; call it on a valid form."""
        if number := self.cleaned_data["q"]:
            participants = participants.numbered(number, self.sites)
        if site := self.cleaned_data["site"]:
            participants = participants.filter(site=site)
        if arm := self.cleaned_data["arm"]:
            participants = participants.filter(arm=arm)
        return participants


def consent_items() -> dict[str, Item]:
    """What is asked when a consent is signed."""
    return {
        name: item for name, item in items_of(Consent).items() if not name.startswith("withdraw")
    }


def participant_items(screening: Screening) -> dict[str, Item]:
    """What is asked at enrolment beside the identity; onset only of CVI."""
    return {
        name: item
        for name, item in items_of(Participant).items()
        if name != "arm" and (screening.arm == "cvi" or not name.startswith("onset"))
    }


class VersionForm(PlainForm):
    """Which version of the consent form was signed."""

    def __init__(self, site: Site, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = ConsentVersion.objects.filter(site=site).order_by("-in_force_from")
        field = forms.ModelChoiceField(
            versions, label=_("Version of the consent form"), empty_label="—"
        )
        self.fields["version"] = self.word(field)


class ConsentVersionForm(ClockForm):
    code = _box(_("Version"), required=True, longest=20)
    mandatory = forms.BooleanField(
        label=_("Everybody must sign it"),
        required=False,
        help_text=_("From its first day on, nothing is entered for who has not signed it."),
    )
    field_order = ["code", "in_force_from", "in_force_until", "mandatory"]

    def __init__(self, clock: Clock, *args: Any, **kwargs: Any) -> None:
        super().__init__(clock, *args, **kwargs)
        self.fields["in_force_from"] = self.date_field(_("In force from"))
        self.fields["in_force_until"] = self.date_field(
            _("In force until"), required=False, help_text=_("Empty: until further notice.")
        )
        self.order_fields(self.field_order)


class WithdrawalForm(ClockForm):
    """What is withdrawn, from when on; ``left`` are the scopes not withdrawn yet."""

    withdrawal_scope = forms.ChoiceField(
        label=_("What is withdrawn"), widget=forms.RadioSelect, choices=[]
    )
    reason = _box(_("Reason, if one was given"), longest=200)
    confirm = forms.BooleanField(
        label=_("I know that an erased identity cannot be brought back"), required=False
    )
    field_order = ["withdrawn_on", "withdrawal_scope", "reason", "confirm"]

    def __init__(self, clock: Clock, left: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(clock, *args, **kwargs)
        self.fields["withdrawn_on"] = self.date_field(_("Withdrawn on"))
        choices = [(code, SCOPES[code]) for code in left]
        self.fields["withdrawal_scope"].choices = choices  # type: ignore[attr-defined]
        if "erase_identity" not in left:
            del self.fields["confirm"]
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("withdrawal_scope") == "erase_identity" and not cleaned.get("confirm"):
            self.add_error(
                "confirm", _("Confirm that the identity is to be erased, or choose another answer.")
            )
        return cleaned
