"""A person who may be enrolled twice, asked anew with every check of a participant."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from registry.quality import checks as quality
from registry.quality.checks import Located
from registry.quality.models import DataQuery

from . import vault
from .models import Participant


@quality.register
def possible_duplicate(participant_no: int) -> Iterator[Located]:
    """Tell the data manager, and nobody else, that another site may know the person."""
    if vault.known_elsewhere(participant_no):
        yield Located(
            label=Participant._meta.label_lower,
            key=participant_no,
            item="",
            rule="possible_duplicate",
            message=_("This person may also be enrolled at another site."),
            audience=DataQuery.Audience.DATA_MANAGER,
        )
