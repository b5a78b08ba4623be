"""CEAP: clinical class, etiology, anatomy and pathophysiology of one leg, version 2020."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.db.models import Case, SmallIntegerField, Value, When
from django.utils.translation import gettext as _

from registry.core.dictionary import Kind, at_saving, choice, derived, items_of, multi, yes_no
from registry.core.findings import Finding, Level
from registry.visits.crf import Carried, LimbCrf, crf

from .rules import ceap as rules

if TYPE_CHECKING:
    from registry.visits.models import Visit

CLASSES = [
    ("C0", "C0 no visible sign"),
    ("C1", "C1 telangiectasia or reticular veins"),
    ("C2", "C2 varicose veins"),
    ("C2r", "C2r recurrent varicose veins"),
    ("C3", "C3 oedema"),
    ("C4", "C4 skin changes (1994)"),
    ("C4a", "C4a pigmentation or eczema"),
    ("C4b", "C4b lipodermatosclerosis or atrophie blanche"),
    ("C4c", "C4c corona phlebectatica"),
    ("C5", "C5 healed ulcer"),
    ("C6", "C6 open ulcer"),
    ("C6r", "C6r recurrent open ulcer"),
]


@crf("CEAP")
class Ceap(LimbCrf):
    ceap_version = choice(
        "CEAP version", ["2020", "2004", "1994"], required=True, section="clinical"
    )
    clinical = choice("Clinical class", CLASSES, ordered=True, required=True, section="clinical")
    symptomatic = yes_no("Symptomatic", required=True, section="clinical")
    etiology = multi(
        "Etiology",
        [
            ("Ep", "Ep primary"),
            ("Esi", "Esi secondary, intravenous"),
            ("Ese", "Ese secondary, extravenous"),
            ("Ec", "Ec congenital"),
            ("En", "En none found"),
        ],
        alone="En",
        required=True,
        section="advanced",
    )
    anatomy = multi(
        "Anatomy",
        [
            ("As", "As superficial"),
            ("Ad", "Ad deep"),
            ("Ap", "Ap perforating"),
            ("An", "An none found"),
            *((segment, segment) for segment in rules.SYSTEM_OF),
        ],
        alone="An",
        required=True,
        section="advanced",
    )
    pathophysiology = choice(
        "Pathophysiology",
        [
            ("Pr", "Pr reflux"),
            ("Po", "Po obstruction"),
            ("Pro", "Pr,o reflux and obstruction"),
            ("Pn", "Pn none found"),
        ],
        required=True,
        section="advanced",
    )
    investigation_level = choice(
        "Level of investigation",
        [
            ("LI", "LI clinic or hand-held Doppler"),
            ("LII", "LII duplex or plethysmography"),
            ("LIII", "LIII invasive, CT or MR venography"),
        ],
        ordered=True,
        required=True,
        section="advanced",
    )
    # C2r→2, C4a/b/c→4, C6r→6 (CEAP 2020 revision; forms.md).
    clinical_1994 = derived(
        "Clinical class, 1994 scale",
        Case(*(When(clinical__startswith=f"C{number}", then=Value(number)) for number in range(7))),
        SmallIntegerField(null=True),
        kind=Kind.SCORE,
        possible=(0, 6),
    )

    c4c_alone = at_saving(
        yes_no("Corona phlebectatica is the only skin change: class 4 is doubtful before 2020")
    )

    @property
    def printed(self) -> str:
        """The CEAP as papers print it."""
        return rules.printed_ceap(
            self.clinical,
            self.symptomatic,
            self.etiology,
            self.anatomy,
            self.pathophysiology,
            self.investigation_level,
        )

    @classmethod
    def carried(cls, visit: Visit, limb: str) -> dict[str, Carried]:
        """Etiology to level of investigation, as of the last visit that asked for them."""
        if visit.attended_on is None:
            return {}
        last = (
            cls.objects.filter(
                entry__participant=visit.participant_id,
                entry__limb=limb,
                entry__visit__attended_on__lt=visit.attended_on,
                etiology__isnull=False,
            )
            .select_related("entry__visit")
            .order_by("-entry__visit__attended_on")
            .first()
        )
        if last is None:
            return {}
        advanced = [name for name, item in items_of(cls).items() if item.section == "advanced"]
        return {
            name: Carried(value, last.entry.visit, last.done_on)
            for name in advanced
            if (value := getattr(last, name)) is not None
        }

    def before_saving(self) -> None:
        """A segment implies its system."""
        if self.anatomy:
            self.anatomy = rules.with_systems(self.anatomy)

    def cross_checks(self) -> Iterator[Finding]:
        classes = rules.CLASSES_OF_VERSION.get(self.ceap_version or "", set())
        if self.clinical and self.ceap_version and self.clinical not in classes:
            yield Finding(
                Level.IMPOSSIBLE,
                "clinical",
                _("Class %(clinical)s does not exist in CEAP %(version)s.")
                % {"clinical": self.clinical, "version": self.ceap_version},
                "class_of_version",
            )
