"""What a form is: the ``@crf`` decorator and the three bases of clinical records.

Higher rooms declare their forms with these and thereby register them; the visit plan names them
by code, and ``visits.actions.refresh_forms`` writes an entry for each place a form applies to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.translation import gettext

from registry.access.models import SiteRecord
from registry.core import dictionary as d
from registry.core.dates import show_date
from registry.core.dictionary import Declaration, Item, declared, items_of, kept
from registry.core.findings import Finding

from .days import impossible_days

if TYPE_CHECKING:
    from .models import FormEntry, Visit

Place = tuple[str, str]  # leg, occurrence


@dataclass(frozen=True)
class FormKind:
    """A registered form."""

    code: str
    text: str
    model: type[Crf]

    @property
    def label(self) -> str:
        return gettext(self.text)

    def items(self, sections: tuple[str, ...] = ()) -> dict[str, Item]:
        """The form's items; with ``sections``, those of these sections and the common ones."""
        return {
            name: item
            for name, item in items_of(self.model).items()
            if not sections or not item.section or item.section in sections
        }


FORMS: dict[str, FormKind] = {}


def crf(label: str, *, code: str = "") -> Callable[[type[Crf]], Any]:
    """Declare a clinical record as a form of the protocol and register it under ``code``."""

    def register(model: type[Crf]) -> type[Crf]:
        form = code or model.__name__.lower()
        declared(form, label)(model)
        FORMS[form] = FormKind(form, label, model)
        return model

    return register


def decides_places(code: str) -> bool:
    """Whether saving the form ``code`` may begin or end a form somewhere."""
    return any(code in kind.model.places_from for kind in FORMS.values())


PICTURES = frozenset({"image/png", "image/jpeg"})
DOCUMENTS = frozenset({"application/pdf"})


@dataclass(frozen=True)
class FileItem:
    """A question of a paper form that is answered by files: which kinds, how many, who may see.

    ``identifying``: the file may name the participant, so only who enters data sees it.
    """

    name: str
    text: str
    media_types: frozenset[str] = PICTURES
    several: bool = True
    identifying: bool = False

    @property
    def label(self) -> str:
        return gettext(self.text)


@dataclass(frozen=True)
class Carried:
    """A value carried forward from an earlier visit, and that visit."""

    value: Any
    visit: Visit
    on: date | None


class Crf(SiteRecord):
    """A clinical record saved under a form entry."""

    site_from = "entry"
    declaration: ClassVar[Declaration]
    file_items: ClassVar[tuple[FileItem, ...]] = ()
    # Codes of the forms whose records ``places`` reads: saving one may begin or end this form.
    places_from: ClassVar[tuple[str, ...]] = ()

    entry = kept(
        models.OneToOneField("visits.FormEntry", models.PROTECT, related_name="+"), "withhold"
    )
    absent = kept(models.JSONField(default=dict, blank=True), "release", "Absence codes")
    confirmed = kept(models.JSONField(default=dict, blank=True), "withhold")
    done_on = d.date("Done on", required=True, absence=False)
    examiner = d.text("Examiner", privacy="group", absence=False, one_line=True)

    class Meta:
        abstract = True

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        """The legs or occurrences for which the form is asked at ``visit``; none: not asked."""
        raise NotImplementedError

    @classmethod
    def offered(cls, items: dict[str, Item], entry: FormEntry) -> dict[str, Item]:
        """``items`` as they are offered for ``entry``: some choices may have to be earned."""
        return items

    @classmethod
    def recorded(cls, visit: Visit, limb: str) -> dict[str, Any]:
        """What other records say about items of this form: shown beside them, never filled in."""
        return {}

    @classmethod
    def carried(cls, visit: Visit, limb: str) -> dict[str, Carried]:
        """Items not asked at ``visit`` with their last values: shown there, never stored again."""
        return {}

    @property
    def where(self) -> str:
        """The visit and the day, by which a message names the record."""
        day = show_date(self.done_on) if self.done_on else ""
        return ", ".join(filter(None, [self.entry.visit.label if self.entry.visit else "", day]))

    @property
    def notices(self) -> dict[str, str]:
        """Item → what stands beside it because of its value; a notice is no finding."""
        return {}

    def before_saving(self) -> None:
        """Complete the record from what it says and from its neighbours, before each save."""

    def impossible_days(self) -> Iterable[Finding]:
        """Its dates in the future or before the participant's birth."""
        participant = self.entry.participant
        items = {n: item for n, item in items_of(type(self)).items() if not item.derived}
        return impossible_days(
            items,
            {name: getattr(self, name) for name in items},
            today=participant.site.today,
            birth_year=participant.earliest_birth_year,
        )

    def cross_checks(self) -> Iterable[Finding]:
        """Findings that need several items, or the record's neighbours."""
        return ()


class VisitCrf(Crf):
    """Filled once a visit."""

    class Meta:
        abstract = True

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        return [("", "")]


class LimbCrf(Crf):
    """Filled once a visit for each leg; the participant's right leg stands first."""

    class Meta:
        abstract = True

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        return [("right", ""), ("left", "")]


class LogCrf(Crf):
    """Filled any number of times a participant: each row is an occurrence of its own."""

    class Meta:
        abstract = True

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        return []
