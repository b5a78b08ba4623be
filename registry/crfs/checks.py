"""Paper forms against the ulcer records of the same leg."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from registry.core.dictionary import items_of
from registry.quality import checks as quality
from registry.quality.checks import Located
from registry.ulcers import rules as ulcer_rules
from registry.ulcers.models import Ulcer

from .ceap import Ceap
from .vcss import ULCER_SCORES, Vcss

CAUSES_C6 = frozenset({"venous", "mixed"})


@quality.register
def ceap_agrees_with_ulcers(participant_no: int) -> Iterator[Located]:
    """C6 or C6r ⇔ an open ulcer of venous or mixed cause; C5 ⇒ none open (forms.md, ceap)."""
    ulcers = list(Ulcer.objects.filter(participant=participant_no).with_assessments())
    for ceap in Ceap.objects.filter(entry__participant=participant_no).select_related("entry"):
        if not ceap.clinical or ceap.done_on is None:
            continue
        open_ones = [
            ulcer
            for ulcer in ulcers
            if ulcer.limb == ceap.entry.limb
            and ulcer.ulcer_cause in CAUSES_C6
            and ulcer_rules.is_open(ulcer, ceap.done_on)
        ]
        labels = {"clinical": ceap.clinical, "ulcers": ", ".join(map(str, open_ones))}
        if ceap.clinical in ("C6", "C6r"):
            if not open_ones:
                yield _about(
                    ceap,
                    "c6_needs_an_open_ulcer",
                    _("Class %(clinical)s, but no venous ulcer of this leg is recorded open."),
                    labels,
                )
        elif open_ones:
            yield _about(
                ceap,
                "open_ulcer_needs_c6",
                _("Class %(clinical)s, but ulcer %(ulcers)s of this leg is recorded open."),
                labels,
            )


def _about(ceap: Ceap, rule: str, message: str, labels: dict[str, str]) -> Located:
    return Located(ceap._meta.label_lower, ceap.pk, "clinical", rule, message % labels)


@quality.register
def vcss_agrees_with_ulcers(participant_no: int) -> Iterator[Located]:
    """An ulcer score that differs from the ulcer records needs a comment (forms.md, vcss)."""
    ulcers = list(Ulcer.objects.filter(participant=participant_no).with_assessments())
    items = items_of(Vcss)
    for vcss in Vcss.objects.filter(entry__participant=participant_no).select_related("entry"):
        if vcss.ulcer_comment or vcss.done_on is None:
            continue
        leg = [ulcer for ulcer in ulcers if ulcer.limb == vcss.entry.limb]
        recorded = ulcer_rules.vcss_scores(leg, vcss.done_on)
        for name in ULCER_SCORES:
            entered, known = getattr(vcss, name), recorded[name]
            if None not in (entered, known) and entered != known:
                yield Located(
                    vcss._meta.label_lower,
                    vcss.pk,
                    name,
                    "ulcer_records_differ",
                    _(
                        "%(item)s is entered as %(entered)s, but the ulcer records say"
                        " %(known)s: correct one of them, or comment."
                    )
                    % {"item": items[name].label, "entered": entered, "known": known},
                )
