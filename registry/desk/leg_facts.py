"""What the records of a participant put on the leg timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from registry.core.dates import Span, show_date, show_partial_date, span
from registry.core.forms import show_value
from registry.core.states import show_state
from registry.crfs.models import Ceap
from registry.imaging.models import Reading, Xray
from registry.imaging.rules import final_grade
from registry.participants.models import Consent
from registry.participants.rules import STOPS_COLLECTION
from registry.ulcers.models import Ulcer
from registry.visits.rules import Status

from .address import url_of
from .timeline import DAY, Fact, Lane, Manner, Sign, Stretch, ulcer_course

NOT_SEEN = {
    Status.PLANNED: "planned",
    Status.DUE: "due",
    Status.OVERDUE: "overdue",
    Status.MISSED: "missed",
    Status.CANCELLED: "cancelled",
}


def side_of(limb: str) -> str:
    """The leg in words, or that no single leg is concerned."""
    sides = {"right": _("Right leg"), "left": _("Left leg"), "both": _("Both legs")}
    return sides.get(limb, _("Participant"))


def missed_days(visits: Iterable[Any]) -> list[date]:
    """Target days of visits (with status) whose window passed without the participant."""
    return [one.target_on for one in visits if one.status in (Status.MISSED, Status.OVERDUE)]


def of_visits(visits: Iterable[Any]) -> Iterator[Fact]:
    for visit in visits:
        shape = NOT_SEEN.get(visit.status, "done")
        word = show_state(visit.status).word
        window = f"{show_date(visit.opens_on)} – {show_date(visit.closes_on)}"
        yield Fact(
            limb="",
            lane=Lane.VISITS,
            side=side_of(""),
            what=visit.label,
            on=show_date(visit.attended_on) if visit.attended_on else window,
            value=f"{word}, {visit.missed_because}" if visit.missed_because else word,
            url=reverse("visit", args=[visit.pk]),
            label=visit.code,
            stretches=()
            if visit.attended_on
            else (Stretch(visit.opens_on, visit.closes_on, Manner.WINDOW),),
            signs=(Sign(visit.attended_on or visit.target_on, shape),),
        )


def of_ceap(ceaps: Iterable[Ceap]) -> Iterator[Fact]:
    for ceap in ceaps:
        if ceap.clinical is None or ceap.done_on is None:
            continue
        yield _of_form(
            ceap,
            Lane.CEAP,
            ceap.done_on,
            "class",
            what=_("CEAP"),
            value=ceap.printed,
            label=ceap.clinical,
            level=ceap.clinical_1994,
        )


def of_films(xrays: Iterable[Xray]) -> Iterator[Fact]:
    """One mark a study; ``xrays`` come with their readings."""
    for xray in xrays:
        if xray.acquired_on is None:
            continue
        grade = final_grade(xray.readings.all())
        yield _of_form(
            xray,
            Lane.FILMS,
            xray.acquired_on,
            f"film-{grade.calcification}" if grade else "film-ungraded",
            what=_("X-ray"),
            value=grade_in_words(grade),
            label=_grade_in_short(grade),
        )


def _of_form(record: Any, lane: Lane, on: date, shape: str, **words: Any) -> Fact:
    """A fact of a leg's form at a visit."""
    entry = record.entry
    return Fact(
        limb=entry.limb,
        lane=lane,
        side=side_of(entry.limb),
        on=show_date(on),
        url=url_of(entry),
        signs=(Sign(on, shape),),
        **words,
    )


def grade_in_words(grade: Reading | None) -> str:
    """Calcification, pattern and extent."""
    if grade is None:
        return _("not yet graded")
    words = [_("calcification %(state)s") % {"state": _words(grade, "calcification")}]
    if grade.pattern:
        words.append(_words(grade, "pattern"))
    if grade.calcification == "present" and grade.extent is not None:
        words.append(_("extent %(extent)s") % {"extent": grade.extent})
    return ", ".join(words)


def _grade_in_short(grade: Reading | None) -> str:
    if grade is None:
        return _("not graded")
    if grade.calcification != "present":
        return _words(grade, "calcification")
    return f"{_words(grade, 'pattern')} {'' if grade.extent is None else grade.extent}".strip()


def _words(record: Any, name: str) -> str:
    return show_value(record._meta.get_field(name).item, getattr(record, name), record, name)


def of_ulcers(ulcers: Iterable[Ulcer], missed: Iterable[date], until: date) -> Iterator[Fact]:
    """One bar an ulcer; ``ulcers`` come with their assessments."""
    missed = list(missed)
    for ulcer in ulcers:
        looks = [
            (one.assessed_on, one.ulcer_status)
            for one in ulcer.assessed
            if one.assessed_on and one.ulcer_status
        ]
        stretches, signs = ulcer_course(ulcer.onset, looks, missed, until)
        yield Fact(
            limb=ulcer.limb,
            lane=Lane.ULCERS,
            side=side_of(ulcer.limb),
            what=_("Ulcer %(label)s") % {"label": ulcer.label},
            on=_("onset %(day)s") % {"day": show_partial_date(ulcer.onset_on)},
            value=ulcer.course().sentence,
            url=reverse("ulcer", args=[ulcer.pk]),
            label=ulcer.label,
            stretches=stretches,
            signs=signs,
        )


def of_withdrawals(consents: Iterable[Consent]) -> Iterator[Fact]:
    for consent in consents:
        if consent.withdrawn_on is None or consent.withdrawal_scope not in STOPS_COLLECTION:
            continue
        yield Fact(
            limb="",
            lane=Lane.EVENTS,
            side=side_of(""),
            what=_("Consent withdrawn"),
            on=show_date(consent.withdrawn_on),
            value=_words(consent, "withdrawal_scope"),
            url=reverse("history", args=["participants.consent", consent.pk]),
            label=_("withdrawn"),
            signs=(Sign(consent.withdrawn_on, "end"),),
        )


def legend() -> list[tuple[str, str]]:
    """Shapes of the drawing, in words."""
    return [
        ("done", _("visit done")),
        ("due", _("due")),
        ("overdue", _("overdue")),
        ("missed", _("missed")),
        ("planned", _("planned")),
        ("cancelled", _("cancelled")),
        ("window", _("window")),
        ("class", _("CEAP class")),
        ("healed", _("healed")),
        ("closed", _("closed, unconfirmed")),
        ("merged", _("merged")),
        ("doubt", _("day not known exactly")),
        ("unseen", _("not seen since")),
        ("film-present", _("calcification")),
        ("film-absent", _("no calcification")),
        ("film-not_assessable", _("not assessable")),
        ("film-ungraded", _("film not graded")),
        ("start", _("treatment")),
        ("event", _("event")),
        ("end", _("end")),
        ("enrolled", _("enrolment")),
        ("today", _("today")),
    ]


# -- logs --------------------------------------------------------------------------------------


def of_treatments(treatments: Iterable[Any], seen_on: date, until: date) -> Iterator[Fact]:
    """A bar from start to stop; of what goes on nothing is known after ``seen_on``."""
    for treatment in treatments:
        if not treatment.started_on:
            continue
        began = span(treatment.started_on)
        stretches = list(_doubt(began))
        start = began.last
        if treatment.stopped_on:
            stretches.append(Stretch(min(start, treatment.stopped_on), treatment.stopped_on))
            ends = _("to %(day)s") % {"day": show_date(treatment.stopped_on)}
        elif treatment.ongoing:
            known = max(start, seen_on)
            stretches.append(Stretch(start, known))
            if known < until:
                stretches.append(Stretch(known, until, Manner.UNSEEN))
            ends = _("ongoing")
        else:
            ends = _("stopped, day unknown")
        kind = _words(treatment, "kind")
        limb = treatment.limb or ""
        yield Fact(
            limb=limb,
            lane=Lane.TREATMENTS,
            side=side_of(limb),
            what=_("Treatment"),
            on=f"{show_partial_date(treatment.started_on)}, {ends}",
            value=kind,
            url=url_of(treatment.entry),
            label=kind,
            stretches=tuple(stretches),
            signs=(Sign(start, "start"),),
        )


def of_events(events: Iterable[Any]) -> Iterator[Fact]:
    for event in events:
        if event.occurred_on is None:
            continue
        kind = _words(event, "kind")
        yield Fact(
            limb=event.limb or "",
            lane=Lane.EVENTS,
            side=side_of(event.limb or ""),
            what=_("Event"),
            on=show_date(event.occurred_on),
            value=kind,
            url=url_of(event.entry),
            label=kind,
            signs=(Sign(event.occurred_on, "end" if event.kind == "death" else "event"),),
        )


def of_ends(ends: Iterable[Any]) -> Iterator[Fact]:
    for end in ends:
        if end.ended_on is None:
            continue
        reason = _words(end, "reason")
        yield Fact(
            limb="",
            lane=Lane.EVENTS,
            side=side_of(""),
            what=_("End of participation"),
            on=show_date(end.ended_on),
            value=reason,
            url=url_of(end.entry),
            label=reason,
            signs=(Sign(end.ended_on, "end"),),
        )


def of_past_ulcers(ulcers: Iterable[Any]) -> Iterator[Fact]:
    """Reported, not seen: all of it in doubt."""
    for ulcer in ulcers:
        known = [span(day) for day in (ulcer.onset_on, ulcer.reported_closed_on) if day]
        if not known:
            continue
        unknown = _("day unknown")
        onset, closed = (
            show_partial_date(day) if day else unknown
            for day in (ulcer.onset_on, ulcer.reported_closed_on)
        )
        yield Fact(
            limb=ulcer.limb,
            lane=Lane.ULCERS,
            side=side_of(ulcer.limb),
            what=_("Past ulcer, as reported"),
            on=_("onset %(day)s") % {"day": onset},
            value=_("closed %(day)s") % {"day": closed},
            url=url_of(ulcer.entry),
            label=_("past"),
            stretches=(Stretch(known[0].first, max(known[0].last, known[-1].last), Manner.DOUBT),),
        )


def _doubt(days: Span) -> Iterator[Stretch]:
    if days.first < days.last:
        yield Stretch(days.first, days.last - DAY, Manner.DOUBT)
