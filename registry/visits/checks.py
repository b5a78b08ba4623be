"""The visit plan against the forms that exist, and the stored records against their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.db.models import F
from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level, judge
from registry.participants.models import Participant
from registry.quality import checks as quality
from registry.quality.checks import Located

from . import follow_up
from .contact import Contact
from .crf import FORMS, Crf
from .end import End
from .event import Event
from .follow_up import LegSeen, Seen
from .leg_check import LegCheck
from .models import Visit
from .recorded import recorded_forms
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


def located(record: Crf, finding: Finding) -> Located:
    """A finding at a form's record."""
    return Located(record._meta.label_lower, record.pk, finding.item, finding.rule, finding.message)


@quality.register_many
def stored_forms(participants: Sequence[int]) -> Iterator[tuple[int, Located]]:
    """Unusual values, missing items, and each form's cross-checks.

    An unusual value that was confirmed is yielded as settled: counted, not asked about.
    """
    recorded = recorded_forms(participants)
    for kind in (kind for code, kind in FORMS.items() if code in recorded):
        records = kind.model.objects.filter(entry__participant__in=participants)
        for record in records.select_related(
            "entry__visit__participant", "entry__participant__site"
        ):
            values = {name: getattr(record, name) for name in kind.items()}
            found = judge(record.entry.asked_items, values, record.absent)
            for finding in [*found, *record.impossible_days(), *record.cross_checks()]:
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


@quality.register
def events_agree(participant_no: int) -> Iterator[Located]:
    """Events, contact attempts, end and leg checks against one another and the visits."""
    of_participant = {"entry__participant": participant_no}
    rows = list(
        Event.objects.filter(**of_participant, kind__isnull=False, occurred_on__isnull=False)
    )
    ends = list(End.objects.filter(**of_participant))
    checks = list(
        LegCheck.objects.filter(**of_participant, leg_status__isnull=False, done_on__isnull=False)
        .select_related("entry__visit__participant")
        .order_by("done_on", "pk")
    )
    if not rows and not ends and len({check.leg_status for check in checks}) < 2:
        return
    enrolled_on = Participant.objects.get(pk=participant_no).enrolled_on
    attended = Visit.objects.filter(participant=participant_no, attended_on__isnull=False)
    visits = [Seen(visit.attended_on, visit.label) for visit in attended if visit.attended_on]
    events = [row.happened for row in rows]
    for row, event in zip(rows, events, strict=True):
        for finding in follow_up.event_contradictions(event, events, visits, enrolled_on):
            if finding.item not in row.absent:
                yield located(row, finding)
    for end in ends:
        for finding in follow_up.end_contradictions(end.as_recorded, events, visits):
            yield located(end, finding)
    by_key = {check.pk: check for check in checks}
    for limb in ("right", "left"):
        seen = [
            LegSeen(check.pk, check.done_on, check.where, check.leg_status)
            for check in checks
            if check.entry.limb == limb
        ]
        for key, finding in follow_up.leg_contradictions(seen, events, limb):
            yield located(by_key[key], finding)


@quality.register
def contacts_follow_enrolment(participant_no: int) -> Iterator[Located]:
    """A contact attempt lies after enrolment."""
    attempts = Contact.objects.filter(
        entry__participant=participant_no, attempted_on__lt=F("entry__participant__enrolled_on")
    )
    for attempt in attempts:
        yield Located(
            attempt._meta.label_lower,
            attempt.pk,
            "attempted_on",
            "contact_before_enrolment",
            _("The contact attempt lies before enrolment."),
        )
