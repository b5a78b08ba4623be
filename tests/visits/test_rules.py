"""Windows and the status of a visit."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.access.scope import user_scope
from registry.audit.models import Signature, Voiding
from registry.visits.models import FormEntry, Visit
from registry.visits.rules import (
    Facts,
    Status,
    Window,
    arm_followed,
    outside,
    planned_visits,
    status,
    window,
)
from registry.visits.schedule import CURRENT

from .. import build

OPENS, CLOSES = date(2026, 3, 1), date(2026, 3, 31)


@pytest.mark.parametrize(
    ("today", "facts", "expected"),
    [
        (date(2026, 2, 28), {}, Status.PLANNED),
        (date(2026, 3, 1), {}, Status.DUE),
        (date(2026, 3, 31), {}, Status.DUE),
        (date(2026, 4, 1), {}, Status.OVERDUE),
        (date(2026, 4, 1), {"missed_because": "moved away"}, Status.MISSED),
        (date(2026, 4, 1), {"collection_stopped": True}, Status.CANCELLED),
        (date(2026, 3, 5), {"cancelled_on": date(2026, 2, 1)}, Status.CANCELLED),
        (date(2026, 3, 5), {"ended": True}, Status.CANCELLED),
        (date(2026, 2, 1), {"collection_stopped": True}, Status.CANCELLED),
        (
            date(2026, 4, 1),
            {"attended_on": date(2026, 3, 5), "collection_stopped": True},
            Status.ATTENDED,
        ),
        (date(2026, 4, 1), {"attended_on": date(2026, 3, 5), "forms": 2}, Status.ATTENDED),
        (
            date(2026, 4, 1),
            {"attended_on": date(2026, 3, 5), "forms": 2, "forms_complete": 2},
            Status.COMPLETE,
        ),
        (
            date(2026, 4, 1),
            {
                "attended_on": date(2026, 3, 5),
                "forms": 2,
                "forms_complete": 2,
                "forms_locked": 2,
            },
            Status.LOCKED,
        ),
        (
            date(2026, 4, 1),
            {
                "attended_on": date(2026, 3, 5),
                "forms": 2,
                "forms_complete": 2,
                "forms_signed": 2,
            },
            Status.SIGNED,
        ),
        (
            date(2026, 4, 1),
            {
                "attended_on": date(2026, 3, 5),
                "forms": 3,
                "forms_complete": 3,
                "forms_signed": 2,
            },
            Status.COMPLETE,
        ),
    ],
)
def test_status(today, facts, expected):
    assert status(Facts(OPENS, CLOSES, **facts), today) == expected


@pytest.mark.parametrize(
    ("code", "target", "opens", "closes"),
    [
        ("BL", 0, 0, 14),
        ("M03", 91, 70, 112),
        ("M06", 182, 154, 210),
        ("M12", 365, 323, 407),
        ("M18", 548, 506, 590),
        ("M24", 730, 674, 786),
        ("M36", 1095, 1039, 1151),
        ("M48", 1461, 1405, 1517),
        ("M60", 1826, 1770, 1882),
    ],
)
def test_windows_of_the_protocol(code, target, opens, closes):
    enrolled = date(2024, 2, 29)
    days = window(CURRENT.visit(code), enrolled)
    assert [(day - enrolled).days for day in vars(days).values()] == [target, opens, closes]


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (date(2026, 2, 27), "2 days early"),
        (date(2026, 2, 28), "1 day early"),
        (OPENS, ""),
        (CLOSES, ""),
        (date(2026, 4, 1), "1 day late"),
        (date(2026, 4, 12), "12 days late"),
    ],
)
def test_how_far_from_the_window(on, words):
    assert outside(Window(date(2026, 3, 15), OPENS, CLOSES), on) == words


@pytest.mark.parametrize(
    ("arm", "since", "codes"),
    [
        ("control", None, "BL M24 M60"),
        ("control", 0, "BL M03 M06 M12 M18 M24 M36 M48 M60"),
        ("control", 730, "BL M24 M36 M48 M60"),
        ("control", 1826, "BL M24 M60"),
        ("cvi", None, "BL M03 M06 M12 M18 M24 M36 M48 M60"),
        ("other_calcinosis", None, "BL M03 M06 M12 M18 M24 M36 M48 M60"),
    ],
)
def test_the_visits_of_an_arm_and_of_a_control_with_venous_disease(arm, since, codes):
    enrolled = date(2026, 1, 1)
    full = None if since is None else enrolled + timedelta(days=since)
    planned = planned_visits(CURRENT, arm, enrolled, full)
    assert " ".join(visit.code for visit, _days in planned) == codes


@pytest.mark.parametrize(
    ("attended_on", "followed"),
    [(None, "cvi"), (OPENS, "cvi"), (CLOSES, "cvi"), (date(2026, 2, 28), "control")],
)
def test_a_controls_forms_are_the_full_plans_from_its_day_on(attended_on, followed):
    assert arm_followed("control", OPENS, attended_on) == followed
    assert arm_followed("control", None, attended_on) == "control"


def test_controls_come_three_times_without_ulcers_and_scores():
    visits = CURRENT.for_arm("control")
    assert [visit.code for visit in visits] == ["BL", "M24", "M60"]
    asked = {asked.form for asked in CURRENT.forms("M24", "control")}
    of_cvi = {asked.form for asked in CURRENT.forms("M24", "cvi")}
    assert of_cvi - asked == {"ulcers", "vcss", "villalta"}


def signature(cast):
    return Signature.objects.create(
        site=cast.tokyo,
        label="visits.visit",
        key=0,
        by=cast.ana,
        name="Ana Sato",
        meaning="reviewed",
        covers={},
        codebook_version="1",
        fingerprint="0",
    )


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_the_sql_status_is_the_rule(cast, data):
    """The annotation and the pure rule agree on any facts, and so do they who must sign."""
    if not hasattr(cast, "subject"):
        cast.subject = build.participant(cast.ana)
    with user_scope(cast.ana):
        visit = Visit.objects.get(participant=cast.subject, code="BL")
        today = visit.opens_on + timedelta(days=data.draw(st.integers(-3, 20)))
        attended = data.draw(st.booleans())
        missed = "" if attended else data.draw(st.sampled_from(["", "moved"]))
        cancelled = not attended and not missed and data.draw(st.booleans())
        cancelled_on = visit.opens_on if cancelled else None
        entries = list(visit.entries.order_by("pk"))
        finished = data.draw(st.sampled_from([0, 1, len(entries)]))
        locked = data.draw(st.sampled_from([0, len(entries)]))
        signed = data.draw(st.sampled_from([0, 1, len(entries)]))
        void = data.draw(st.booleans())
        drafted = data.draw(st.sampled_from([0, 1]))
        signed_with = signature(cast)
        Visit.objects.filter(pk=visit.pk).update(
            attended_on=visit.opens_on if attended else None,
            missed_because=missed,
            cancelled_on=cancelled_on,
        )
        for number, entry in enumerate(entries):
            FormEntry.objects.filter(pk=entry.pk).update(
                state="complete" if number < finished else "empty",
                locked_at="2026-01-01T00:00Z" if number < locked else None,
                draft={} if number < drafted else None,
                signature=signed_with if number < signed else None,
            )
        if void:
            Voiding.objects.create(signature=signed_with, by=cast.ana)
            signed = 0
        facts = Facts(
            visit.opens_on,
            visit.closes_on,
            visit.opens_on if attended else None,
            missed,
            cancelled_on,
            forms=len(entries),
            forms_complete=finished,
            forms_signed=signed,
            forms_locked=locked,
        )
        found = Visit.objects.filter(pk=visit.pk).with_status(today).get()
        assert found.status == status(facts, today)
        whole = finished == len(entries) and not drafted
        assert found.to_sign is (whole and max(signed, locked) < len(entries))


@pytest.mark.parametrize("scope", ["stop_collection", "erase_identity", "stop_contact"])
def test_a_withdrawal_cancels_by_being_read(cast, scope):
    from registry.participants.actions import withdraw_consent

    subject = build.participant(cast.ana)
    with user_scope(cast.ana):
        withdraw_consent(by=cast.ana, participant=subject, on=cast.tokyo.today, scope=scope)
        statuses = set(
            Visit.objects.filter(participant=subject)
            .with_status(cast.tokyo.today)
            .values_list("status", flat=True)
        )
    assert (statuses == {"cancelled"}) is (scope != "stop_contact")
