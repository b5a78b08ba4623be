"""Visits that events plan, move and cancel; controls that follow the full plan; amendments."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.participants.actions import withdraw_consent
from registry.participants.models import Participant
from registry.ulcers import actions as ulcers
from registry.visits import actions, schedule
from registry.visits.models import FormEntry, Visit
from registry.visits.schedule import Asked, Plan, PlannedVisit

from .. import build
from ..ulcers import build as ulcer_build


def days(count):
    return timedelta(days=count)


@pytest.fixture
def subject(cast):
    """Enrolled 400 days ago."""
    return build.participant(cast.ana)


@pytest.fixture
def baseline(cast, subject):
    return build.attended(cast.ana, subject)


def plan_of(cast, subject, stem):
    """(code, target in days from enrolment, state) of the visits of a kind."""
    with user_scope(cast.ana):
        visits = Visit.objects.filter(participant=subject).of_kind(stem)
        return [
            (
                visit.code,
                (visit.target_on - subject.enrolled_on).days,
                visit.status
                if visit.status in ("cancelled", "missed")
                else ("attended" if visit.attended_on else "to come"),
            )
            for visit in visits.with_status(subject.site.today).order_by("pk")
        ]


def unscheduled(cast, subject, day):
    with user_scope(cast.ana):
        return actions.add_unscheduled_visit(
            by=cast.ana,
            participant=subject,
            on=subject.enrolled_on + days(day),
            forms=["leg_check", "ulcers"],
        )


def come(cast, subject, code, day):
    return build.attended(cast.ana, subject, code, subject.enrolled_on + days(day))


# -- ulcer checks and healing confirmations ------------------------------------------------------


def test_an_ulcer_from_opening_to_recurrence_plans_and_cancels_its_visits(cast, subject, baseline):
    wound = ulcer_build.ulcer(cast.ana, baseline)
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "to come")]
    ulcer_build.assessed(cast.ana, baseline, wound)
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "to come")]

    check = come(cast, subject, "UC-1", 30)
    assert str(check) == "Ulcer check 1 (UC-1)"
    ulcer_build.assessed(cast.ana, check, wound)
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "attended"), ("UC-2", 58, "to come")]

    check = come(cast, subject, "UC-2", 58)
    ulcer_build.assessed(cast.ana, check, wound, "closed")
    assert plan_of(cast, subject, "UC")[1:] == [("UC-2", 58, "attended"), ("UC-3", 86, "cancelled")]
    assert plan_of(cast, subject, "HC") == [("HC-1", 72, "to come")]
    with user_scope(cast.ana):
        confirmation = Visit.objects.get(participant=subject, code="HC-1")
        assert (confirmation.closes_on - confirmation.opens_on).days == 14
        assert confirmation.opens_on == confirmation.target_on
        forms = {asked.form for asked in confirmation.asked}
        assert {"leg_check", "ulcers"} <= forms

    confirmation = come(cast, subject, "HC-1", 75)
    assert plan_of(cast, subject, "HC") == [("HC-1", 72, "attended")]
    ulcer_build.assessed(cast.ana, confirmation, wound, "closed")
    assert plan_of(cast, subject, "HC") == [("HC-1", 72, "attended")]
    assert len(plan_of(cast, subject, "UC")) == 3

    # It is healed, and its column is gone; an ulcer of the same leg opens.
    visit = unscheduled(cast, subject, 120)
    again = ulcer_build.ulcer(cast.ana, visit, onset_on=visit.attended_on.isoformat())
    ulcer_build.assessed(cast.ana, visit, again)
    assert plan_of(cast, subject, "UC")[-1] == ("UC-4", 148, "to come")


def test_a_form_done_at_another_visit_satisfies_the_check_and_the_confirmation(
    cast, subject, baseline
):
    wound = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, wound)
    visit = unscheduled(cast, subject, 26)
    ulcer_build.assessed(cast.ana, visit, wound)
    assert plan_of(cast, subject, "UC") == [("UC-1", 54, "to come")]
    m03 = come(cast, subject, "M03", 80)
    ulcer_build.assessed(cast.ana, m03, wound, "closed")
    assert plan_of(cast, subject, "HC") == [("HC-1", 94, "to come")]
    visit = unscheduled(cast, subject, 95)
    ulcer_build.assessed(cast.ana, visit, wound, "closed")
    assert plan_of(cast, subject, "HC") == [("HC-1", 94, "cancelled")]


def test_an_ulcer_open_again_before_its_confirmation_is_checked_again(cast, subject, baseline):
    wound = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, wound, "closed")
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "cancelled")]
    visit = unscheduled(cast, subject, 10)
    ulcer_build.assessed(cast.ana, visit, wound)
    assert plan_of(cast, subject, "HC") == [("HC-1", 14, "cancelled")]
    assert plan_of(cast, subject, "UC")[1:] == [("UC-2", 38, "to come")]


def test_a_correction_takes_the_plan_with_it(cast, subject, baseline):
    wound = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, wound)
    ulcer_build.assessed(cast.ana, baseline, wound, "closed")
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "cancelled")]
    ulcer_build.assessed(cast.ana, baseline, wound, "open")
    assert plan_of(cast, subject, "UC")[1:] == [("UC-2", 28, "to come")]
    assert plan_of(cast, subject, "HC") == [("HC-1", 14, "cancelled")]


def test_ulcers_share_the_visit_of_the_earliest_need(cast, subject, baseline):
    for limb in ("right", "left"):
        ulcer_build.ulcer(cast.ana, baseline, limb)
    visit = unscheduled(cast, subject, 20)
    with user_scope(cast.ana):
        left = ulcers.Ulcer.objects.get(participant=subject, limb="left")
    ulcer_build.assessed(cast.ana, visit, left)
    # Until the other one is assessed there too, it counts as seen as it was.
    assert plan_of(cast, subject, "UC") == [("UC-1", 48, "to come")]
    with user_scope(cast.ana):
        FormEntry.objects.filter(visit=visit, occurrence="R1").delete()
        actions.replan(by=cast.ana, participant=subject)
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "to come")]


def test_a_missed_check_is_followed_by_another_until_it_is_taken_back(cast, subject, baseline):
    ulcer_build.ulcer(cast.ana, baseline)
    with user_scope(cast.ana):
        check = Visit.objects.select_related("participant__site").get(
            participant=subject, code="UC-1"
        )
        actions.miss_visit(by=cast.ana, visit=check, because="in another town")
    # Given up today, 400 days on: the ulcer is no longer in its first 24 weeks.
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "missed"), ("UC-2", 491, "to come")]
    with user_scope(cast.ana):
        actions.take_back_missed(by=cast.ana, visit=check, reason="another participant's")
        assert Change.objects.filter(reason="another participant's").exists()
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "to come"), ("UC-2", 491, "cancelled")]


def test_a_lost_leg_has_no_ulcer_to_check(cast, subject, baseline):
    wound = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, wound)
    m03 = come(cast, subject, "M03", 91)
    build.form(cast.ana, m03, "leg_check", "left", leg_status="amputated_below_knee")
    assert plan_of(cast, subject, "UC") == [("UC-1", 119, "to come")]
    build.form(cast.ana, m03, "leg_check", "right", leg_status="amputated_above_knee")
    assert plan_of(cast, subject, "UC") == [("UC-1", 119, "cancelled")]


def test_replanning_twice_changes_nothing(cast, subject, baseline):
    wound = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, wound)
    with user_scope(cast.ana):
        before = Change.objects.count()
        actions.replan(by=cast.ana, participant=subject)
        assert Change.objects.count() == before


def test_what_import_wrote_is_planned_with_the_next_save(cast, subject, baseline):
    with user_scope(cast.ana):
        ulcers.Ulcer.objects.create(
            participant=subject,
            limb="right",
            label="R1",
            location=["foot"],
            onset_on="2025",
            ulcer_cause="venous",
            recorded_on=baseline.attended_on,
            by=cast.ana,
        )
    assert plan_of(cast, subject, "UC") == []
    build.form(cast.ana, baseline, "vcss", "right")
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "to come")]


def test_a_withdrawal_cancels_the_check_by_being_read(cast, subject, baseline):
    ulcer_build.ulcer(cast.ana, baseline)
    with user_scope(cast.ana):
        withdraw_consent(
            by=cast.ana, participant=subject, on=cast.tokyo.today, scope="stop_collection"
        )
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "cancelled")]


def log_row(cast, subject, form, **values):
    """A completed row of the participant's log."""
    with user_scope(cast.ana):
        count = FormEntry.objects.filter(participant=subject, form=form).count()
        entry = FormEntry.objects.create(participant=subject, form=form, occurrence=str(count + 1))
        return actions.save_form(
            by=cast.ana,
            entry=entry,
            values={"done_on": cast.tokyo.today} | values,
            absent={},
            revision=0,
        )


def test_the_end_of_participation_cancels_what_was_to_come(cast, subject, baseline):
    ulcer_build.ulcer(cast.ana, baseline)
    log_row(cast, subject, "end", ended_on=cast.tokyo.today, reason="moved")
    with user_scope(cast.ana):
        visits = Visit.objects.filter(participant=subject).with_status(cast.tokyo.today)
        statuses = {visit.code: visit.status for visit in visits}
        assert statuses.pop("BL") == "attended"
        assert len(statuses) == 9
        assert set(statuses.values()) == {"cancelled"}
        assert not Visit.objects.filter(participant=subject).outstanding().exists()
        # What events asked for is cancelled for good; the calendar reads the end.
        assert [visit.code for visit in visits if visit.cancelled_on] == ["UC-1"]


def test_a_death_ends_participation(cast, subject, baseline):
    log_row(cast, subject, "event", kind="death", occurred_on=cast.tokyo.today)
    with user_scope(cast.ana):
        assert not Visit.objects.filter(participant=subject).outstanding().exists()


def test_an_amputation_ends_the_checks_of_its_leg(cast, subject, baseline):
    ulcer_build.ulcer(cast.ana, baseline)
    row = {"occurred_on": cast.tokyo.today, "limb": "right"}
    log_row(cast, subject, "event", kind="amputation_toe", **row)
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "to come")]
    log_row(cast, subject, "event", kind="amputation_below_knee", **row)
    assert plan_of(cast, subject, "UC") == [("UC-1", 28, "cancelled")]


# -- controls ------------------------------------------------------------------------------------


@pytest.fixture
def control(cast):
    """Enrolled 800 days ago."""
    return build.participant(
        cast.ana, arm="control", enrolled_on=cast.tokyo.today - timedelta(days=800)
    )


def test_a_control_with_venous_disease_follows_the_full_plan_from_then_on(cast, control):
    baseline = build.attended(cast.ana, control)
    build.form(cast.ana, baseline, "ceap", "right", clinical="C2")
    m24 = build.attended(cast.ana, control, "M24")
    build.form(cast.ana, m24, "ceap", "right", clinical="C2")
    with user_scope(cast.ana):
        assert not m24.entries.filter(form="vcss").exists()
    build.form(cast.ana, m24, "ceap", "left", clinical="C3")
    with user_scope(cast.ana):
        control.refresh_from_db()
        assert control.full_plan_from == m24.attended_on
        codes = Visit.objects.filter(participant=control).values_list("code", flat=True)
        assert list(codes) == ["BL", "M24", "M36", "M48", "M60"]
        assert m24.entries.filter(form="vcss").count() == 2
        assert not baseline.entries.filter(form="vcss").exists()
        m60 = Visit.objects.get(participant=control, code="M60")
        assert m60.entries.filter(form="vcss").count() == 2
        change = Change.objects.filter(label="participants.participant").latest("id")
        assert change.changes["full_plan_from"] == [None, m24.attended_on.isoformat()]
    with user_scope(cast.ana):
        visit = Visit.objects.select_related("participant__site").get(pk=m24.pk)
    ulcer_build.ulcer(cast.ana, visit)
    assert plan_of(cast, control, "UC") == [("UC-1", 758, "to come")]


def test_a_corrected_class_takes_a_control_back_to_its_own_plan_and_again(cast, control):
    baseline = build.attended(cast.ana, control)

    def planned():
        with user_scope(cast.ana):
            visits = Visit.objects.filter(participant=control, cancelled_on=None)
            return list(visits.values_list("code", flat=True))

    for clinical, codes in (
        ("C4a", ["BL", "M03", "M06", "M12", "M18", "M24", "M36", "M48", "M60"]),
        ("C1", ["BL", "M24", "M60"]),
        ("C5", ["BL", "M03", "M06", "M12", "M18", "M24", "M36", "M48", "M60"]),
    ):
        build.form(cast.ana, baseline, "ceap", "right", clinical=clinical)
        assert planned() == codes
    with user_scope(cast.ana):
        assert Visit.objects.filter(participant=control).count() == 9


# -- protocol versions ---------------------------------------------------------------------------


def amended():
    """Version 1.1: the laboratory is asked at M18 too, and a visit M30 comes in."""
    visits = []
    for visit in schedule.PLAN_1_0.visits:
        if visit.code == "M18":
            visit = PlannedVisit(
                "M18", "18 months", 548, 42, 42, (*visit.forms, Asked("laboratory"))
            )
        visits.append(visit)
    visits.append(PlannedVisit("M30", "30 months", 912, 56, 56, schedule.SHORT))
    visits.append(PlannedVisit("M09", "9 months", 273, 28, 28, schedule.SHORT))
    return Plan("1.1", tuple(visits))


@pytest.fixture
def amendment(monkeypatch):
    plan = amended()
    monkeypatch.setitem(schedule.PLANS, plan.version, plan)
    return plan


def versions(cast, subject):
    with user_scope(cast.ana):
        return dict(Visit.objects.filter(participant=subject).values_list("code", "plan_version"))


def test_an_amendment_adds_to_visits_not_yet_started_and_to_no_other(
    cast, subject, baseline, amendment
):
    build.form(cast.ana, baseline, "laboratory")
    ulcer_build.ulcer(cast.ana, baseline)
    with user_scope(cast.ana):
        before = dict(Visit.objects.filter(participant=subject).values_list("code", "target_on"))
        assert actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=amendment) == 10
        m18 = Visit.objects.get(participant=subject, code="M18")
        assert m18.entries.filter(form="laboratory").count() == 1
        after = dict(Visit.objects.filter(participant=subject).values_list("code", "target_on"))
    found = versions(cast, subject)
    # M09's window was over before the amendment came.
    assert set(found) == {*before, "M30"}
    assert found.pop("BL") == "1.0"
    assert set(found.values()) == {"1.1"}
    assert after == before | {"M30": subject.enrolled_on + days(912)}
    with user_scope(cast.ana):
        changes = Change.objects.count()
        assert actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=amendment) == 0
        assert Change.objects.count() == changes


def test_later_visits_of_who_adopted_follow_the_new_version(cast, subject, baseline, amendment):
    with user_scope(cast.ana):
        actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=amendment)
    ulcer_build.ulcer(cast.ana, baseline)
    unscheduled(cast, subject, 50)
    found = versions(cast, subject)
    assert (found["UC-1"], found["UNS-1"]) == ("1.1", "1.1")


def test_nobody_goes_back_to_an_earlier_version(cast, subject, amendment):
    with user_scope(cast.ana):
        actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=amendment)
        assert (
            actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=schedule.PLAN_1_0) == 0
        )
    assert set(versions(cast, subject).values()) == {"1.1"}


def test_a_cancelled_visit_comes_back_as_the_version_followed_by_then_plans_it(
    cast, control, monkeypatch
):
    wider = [
        replace(one, after=60, forms=(*one.forms, Asked("laboratory")))
        if one.code == "M18"
        else one
        for one in schedule.PLAN_1_0.visits
    ]
    plan = Plan("1.1", tuple(wider))
    monkeypatch.setitem(schedule.PLANS, plan.version, plan)
    baseline = build.attended(cast.ana, control)
    for clinical in ("C4a", "C1"):
        build.form(cast.ana, baseline, "ceap", "right", clinical=clinical)
    with user_scope(cast.ana):
        assert Visit.objects.get(participant=control, code="M18").cancelled_on
        actions.adopt_plan(by=cast.ana, participants=[control.pk], plan=plan)
    build.form(cast.ana, baseline, "ceap", "right", clinical="C5")
    with user_scope(cast.ana):
        m18 = Visit.objects.get(participant=control, code="M18")
        assert (m18.plan_version, m18.cancelled_on) == ("1.1", None)
        assert m18.closes_on == m18.target_on + days(60)
        assert m18.entries.filter(form="laboratory").exists()


def test_the_command_moves_the_sites_named_in_chunks(cast, subject, amendment, capsys):
    there = build.participant(cast.ben)
    call_command("adopt_plan", "1.1", "--site", "TKY", "--batch", "1", verbosity=0)
    assert set(versions(cast, subject).values()) == {"1.1"}
    with user_scope(cast.ben):
        old = Visit.objects.filter(participant=there).values_list("plan_version", flat=True)
        assert set(old) == {"1.0"}
    assert "10 visits" in capsys.readouterr().out
    call_command("adopt_plan", "1.1", verbosity=0)
    assert "10 visits" in capsys.readouterr().out  # Rio's; Tokyo's had it
    with user_scope(cast.ben):
        assert Visit.objects.filter(participant=there, plan_version="1.0").count() == 0


def test_a_withdrawn_participant_adopts_nothing(cast, subject, amendment):
    with user_scope(cast.ana):
        withdraw_consent(
            by=cast.ana, participant=subject, on=cast.tokyo.today, scope="stop_collection"
        )
        assert actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=amendment) == 0
        assert Participant.objects.filter(visits__code="M30").count() == 0


def test_a_version_that_takes_away_is_refused(monkeypatch):
    fewer = tuple(visit for visit in schedule.PLAN_1_0.visits if visit.code != "M48")
    monkeypatch.setitem(schedule.PLANS, "1.1", Plan("1.1", fewer))
    assert [one.id for one in run_checks() if one.id == "saphena.E004"] == ["saphena.E004"]
