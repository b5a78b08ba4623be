"""The visit plan against the forms that exist, and the stored records against their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from registry.core.findings import Level, judge
from registry.quality import checks as quality
from registry.quality.checks import Located

from .crf import FORMS
from .schedule import PLANS


@register()
def plans_name_forms_that_exist(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a visit plan that names an unknown form or section."""
    errors: list[CheckMessage] = []
    for plan in PLANS.values():
        for visit in plan.visits:
            for asked in visit.forms:
                place = f"Plan {plan.version}, visit {visit.code}"
                if asked.form not in FORMS:
                    errors.append(Error(f"{place}: no form “{asked.form}”.", id="saphena.E003"))
                    continue
                sections = {item.section for item in FORMS[asked.form].items().values()}
                for section in set(asked.sections) - sections:
                    errors.append(
                        Error(
                            f"{place}: form {asked.form} has no section “{section}”.",
                            id="saphena.E003",
                        )
                    )
    return errors


@quality.register_many
def stored_forms(participants: Sequence[int]) -> Iterator[tuple[int, Located]]:
    """Unusual values, missing items, and each form's cross-checks.

    An unusual value that was confirmed is yielded as settled: counted, not asked about.
    """
    for kind in FORMS.values():
        records = kind.model.objects.filter(entry__participant__in=participants)
        for record in records.select_related("entry__visit__participant", "entry__participant"):
            visit = record.entry.visit
            asked = visit and next((a for a in visit.asked if a.form == kind.code), None)
            items = kind.items(asked.sections if asked else ())
            values = {name: getattr(record, name) for name in kind.items()}
            found = judge(items, values, record.absent)
            for finding in [*found, *record.cross_checks()]:
                confirmed = record.confirmed.get(finding.item) == str(values.get(finding.item))
                yield (
                    record.entry.participant_id,
                    Located(
                        record._meta.label_lower,
                        record.pk,
                        finding.item,
                        finding.rule,
                        finding.message,
                        settled=finding.level == Level.UNUSUAL and confirmed,
                    ),
                )
