"""All that is known of one participant, in a constant number of queries."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any

from django.db.models import Count

from registry.crfs.models import Ceap, Treatment
from registry.crfs.rules.ceap import worst_leg
from registry.imaging.models import Xray
from registry.imaging.rules import final_grade
from registry.participants.models import Consent, Participant
from registry.participants.rules import STOPS_COLLECTION
from registry.ulcers.models import PastUlcer, Ulcer
from registry.visits.crf import FORMS, FormKind, LogCrf
from registry.visits.models import LIMBS, Contact, End, Event, FormEntry, Visit

from . import leg_facts
from .timeline import Fact, Timeline, lay_out, period


class Records:
    """A participant's records as the participant's page shows them, each list in time's order."""

    def __init__(self, participant: Participant, today: date) -> None:
        self.participant, self.today = participant, today

    @cached_property
    def visits(self) -> list[Any]:
        visits = Visit.objects.filter(participant=self.participant).with_status(self.today)
        return list(visits.order_by("target_on", "pk"))

    @cached_property
    def ceaps(self) -> list[Ceap]:
        ceaps = Ceap.objects.filter(entry__participant=self.participant, done_on__isnull=False)
        return list(ceaps.select_related("entry").order_by("done_on", "pk"))

    @property
    def worst_ceap(self) -> Ceap | None:
        """The CEAP of the worse leg, by the last class that each was given."""
        last = {one.entry.limb: one for one in self.ceaps if one.clinical}
        legs = [limb for limb, _name in LIMBS]
        limb = worst_leg({limb: last[limb].clinical for limb in legs if limb in last})
        return last[limb] if limb else None

    @cached_property
    def xrays(self) -> list[Xray]:
        xrays = Xray.objects.filter(entry__participant=self.participant, acquired_on__isnull=False)
        xrays = xrays.select_related("entry").prefetch_related("readings")
        return list(xrays.order_by("acquired_on", "pk"))

    @cached_property
    def ulcers(self) -> list[Ulcer]:
        return list(Ulcer.objects.filter(participant=self.participant).with_assessments())

    @cached_property
    def consents(self) -> list[Consent]:
        return list(self.participant.screening.consents.select_related("version"))

    @cached_property
    def forms(self) -> dict[str, int]:
        """Form → how many entries of it are finished."""
        finished = FormEntry.objects.filter(
            participant=self.participant, state__in=FormEntry.FINISHED
        )
        return dict(finished.values_list("form").annotate(Count("pk")).order_by())

    @property
    def repeated(self) -> list[FormKind]:
        """The forms of visits that hold anything."""
        return [kind for kind in FORMS.values() if kind.code in self.forms and not _log(kind)]

    @property
    def logs(self) -> list[tuple[FormKind, int]]:
        """Every log with its number of rows."""
        return [(kind, self.forms.get(kind.code, 0)) for kind in FORMS.values() if _log(kind)]

    def grade(self, limb: str) -> dict[str, Any] | None:
        """The leg's latest final grade in words, and the day of its film."""
        for xray in reversed(self.xrays):
            if xray.entry.limb == limb and (grade := final_grade(xray.readings.all())):
                return {"words": leg_facts.grade_in_words(grade), "on": xray.acquired_on}
        return None

    @cached_property
    def ended_on(self) -> date | None:
        """The day after which nothing more is seen; None while participation goes on."""
        days = [
            one.withdrawn_on
            for one in self.consents
            if one.withdrawn_on and one.withdrawal_scope in STOPS_COLLECTION
        ]
        days += [one.ended_on for one in self.ends if one.ended_on]
        days += [one.occurred_on for one in self._events if one.kind == "death" and one.occurred_on]
        return min(days, default=None)

    @property
    def _seen_on(self) -> date:
        """The last day on which the participant came."""
        days = [one.attended_on for one in self.visits if one.attended_on]
        return max(days, default=self.participant.enrolled_on)

    @cached_property
    def _events(self) -> list[Event]:
        return self._log(Event)

    @cached_property
    def ends(self) -> list[End]:
        return self._log(End)

    @cached_property
    def contacts(self) -> list[Contact]:
        """Attempts to reach the participant."""
        return self._log(Contact)

    def _log(self, model: Any) -> list[Any]:
        rows = model.objects.filter(entry__participant=self.participant).order_by("pk")
        return list(rows.select_related("entry__participant"))

    @cached_property
    def facts(self) -> list[Fact]:
        """Every stored fact of the timeline."""
        until = min(self.today, self.ended_on or self.today)
        missed = leg_facts.missed_days(self.visits)
        return [
            *leg_facts.of_visits(self.visits),
            *leg_facts.of_ceap(self.ceaps),
            *leg_facts.of_ulcers(self.ulcers, missed, until),
            *leg_facts.of_films(self.xrays),
            *leg_facts.of_withdrawals(self.consents),
            *leg_facts.of_past_ulcers(self._log(PastUlcer)),
            *leg_facts.of_treatments(self._log(Treatment), self._seen_on, until),
            *leg_facts.of_events(self._events),
            *leg_facts.of_ends(self.ends),
        ]

    def timeline(self, months: int | None = None) -> Timeline:
        """The whole history, or its last ``months``."""
        return lay_out(
            self.facts,
            period(self.facts, self.today, months),
            self.today,
            missed=leg_facts.missed_days(self.visits),
            enrolled_on=self.participant.enrolled_on,
            ended_on=self.ended_on,
        )


def _log(kind: FormKind) -> bool:
    return issubclass(kind.model, LogCrf)
