"""The visit plan against the forms that exist, and the stored records against their limits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from django.core.checks import CheckMessage, Error, register

from registry.core.findings import judge
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


@register()
def plans_only_add(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a protocol version that takes away a visit, or a form of a visit."""
    errors: list[CheckMessage] = []
    for earlier, later in pairwise(PLANS.values()):
        kept = {visit.code: {asked.form for asked in visit.forms} for visit in later.visits}
        for visit in earlier.visits:
            lost = {asked.form for asked in visit.forms} - kept.get(visit.code, set())
            if lost or visit.code not in kept:
                named = ", ".join(sorted(lost)) or visit.code
                errors.append(
                    Error(
                        f"Plan {later.version} lacks {named} of visit {visit.code}:"
                        f" a protocol version adds to plan {earlier.version}.",
                        id="saphena.E004",
                    )
                )
    return errors


@quality.register
def stored_forms(participant_no: int) -> Iterator[Located]:
    """Unusual values nobody confirmed, missing items, and each form's cross-checks."""
    for kind in FORMS.values():
        records = kind.model.objects.filter(entry__participant=participant_no)
        for record in records.select_related("entry__visit__participant", "entry__participant"):
            visit = record.entry.visit
            asked = visit and next((a for a in visit.asked if a.form == kind.code), None)
            items = kind.items(asked.sections if asked else ())
            values = {name: getattr(record, name) for name in kind.items()}
            found = judge(items, values, record.absent, record.confirmed)
            for finding in [*found, *record.cross_checks()]:
                yield Located(
                    record._meta.label_lower,
                    record.pk,
                    finding.item,
                    finding.rule,
                    finding.message,
                )
