"""The request as a form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from registry.access.forms import PlainForm

from . import rules
from .models import DatasetProject
from .profiles import PROFILES, SAFE_HARBOR


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
    arms = forms.MultipleChoiceField(label=_("Arms"), widget=forms.CheckboxSelectMultiple)
    # The last: its name hides the module's.
    forms = forms.MultipleChoiceField(
        label=_("Forms"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(
        self, *args: Any, project: DatasetProject | None = None, asking: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        choices: dict[str, list[tuple[str, str]]] = {
            "profile": [(one.code, one.label) for one in PROFILES.values()],
            "forms": list(rules.forms().items()),
            "arms": list(rules.arms().items()),
        }
        for name, pairs in choices.items():
            self.fields[name].choices = pairs  # type: ignore[attr-defined]
        self.initial.setdefault("profile", SAFE_HARBOR.code)
        self.initial.setdefault("forms", list(rules.forms()))
        self.initial.setdefault("arms", list(rules.arms()))
        if project:
            del self.fields["title"], self.fields["purpose"]
        elif not asking:
            self.fields["title"].required = self.fields["purpose"].required = False
