"""Planning, attending and saving: state, history and queries after each action."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.crfs.models import Vcss
from registry.participants.actions import ParticipantError, withdraw_consent
from registry.quality.models import DataQuery
from registry.visits import actions, attesting
from registry.visits.crf import FORMS
from registry.visits.models import FormEntry, Visit

from .. import build


@pytest.fixture
def subject(cast):
    return build.participant(cast.ana)


def test_enrolment_plans_every_visit_with_its_forms(cast, subject):
    with user_scope(cast.ana):
        codes = list(Visit.objects.filter(participant=subject).values_list("code", flat=True))
        assert codes == ["BL", "M03", "M06", "M12", "M18", "M24", "M36", "M48", "M60"]
        m03 = Visit.objects.get(participant=subject, code="M03")
        forms = set(m03.entries.values_list("form", "limb"))
        assert forms == {
            *((f, limb) for f in ("leg_check", "ceap", "vcss") for limb in ("right", "left")),
            ("log_review", ""),
            ("reported_outcomes", ""),
        }


def test_an_entry_carries_the_code_of_its_visit_whatever_is_written(cast, subject):
    with user_scope(cast.ana):
        for visit in Visit.objects.filter(participant=subject):
            assert set(visit.entries.values_list("visit_code", flat=True)) == {visit.code}
        log = FormEntry.objects.create(participant=subject, form="event", occurrence="1")
        FormEntry.objects.filter(participant=subject, form="vcss").update(visit_code="other")
        log.refresh_from_db()
        assert log.visit_code == ""
        vcss = FormEntry.objects.filter(participant=subject, form="vcss").select_related("visit")
        assert all(one.visit_code == one.visit.code for one in vcss)
        assert not Change.objects.filter(changes__has_key="visit_code").exists()
        with pytest.raises(DatabaseError, match="keeps its code"), transaction.atomic():
            Visit.objects.filter(participant=subject, code="M03").update(code="M04")


def test_a_visit_is_attended_once_its_day_is_possible(cast, subject):
    with user_scope(cast.ana):
        visit = Visit.objects.select_related("participant__site").get(
            participant=subject, code="BL"
        )
        for day in (cast.tokyo.today + timedelta(days=1), subject.enrolled_on - timedelta(days=2)):
            with pytest.raises(actions.VisitError):
                actions.attend_visit(by=cast.ana, visit=visit, on=day)
        actions.attend_visit(by=cast.ana, visit=visit, on=visit.target_on)
        with pytest.raises(actions.VisitError):
            actions.miss_visit(by=cast.ana, visit=visit, because="late")


def test_a_saved_form_is_complete_in_history_and_named(cast, subject):
    visit = build.attended(cast.ana, subject)
    record = build.form(cast.ana, visit, "vcss", "right", pain=2)
    with user_scope(cast.ana):
        assert record.entry.state == FormEntry.State.COMPLETE
        assert Vcss.objects.get(pk=record.pk).total == 2
        change = Change.objects.get(label="crfs.vcss", key=record.pk)
        assert (change.action, change.by, change.changes["pain"]) == (
            "insert",
            cast.ana,
            [None, 2],
        )


def test_an_amendment_keeps_old_and_new_and_the_reason(cast, subject):
    visit = build.attended(cast.ana, subject)
    record = build.form(cast.ana, visit, "vcss", "right", pain=2)
    with user_scope(cast.ana):
        entry = FormEntry.objects.get(pk=record.entry_id)
        values = {name: getattr(record, name) for name in ("done_on", "pain")}
        actions.save_form(
            by=cast.ana,
            entry=entry,
            values=values | {"pain": 3},
            absent={},
            revision=entry.revision,
            reason="misread",
        )
        change = Change.objects.filter(label="crfs.vcss", key=record.pk).latest("id")
        assert change.changes["pain"] == [2, 3]
        assert change.reason == "misread"


def test_a_stale_save_is_refused_and_changes_nothing(cast, subject):
    visit = build.attended(cast.ana, subject)
    record = build.form(cast.ana, visit, "vcss", "right", pain=2)
    with user_scope(cast.ana):
        with pytest.raises(actions.StaleError):
            actions.save_form(
                by=cast.ana, entry=record.entry, values={"pain": 0}, absent={}, revision=0
            )
        assert Vcss.objects.get(pk=record.pk).pain == 2


def test_a_draft_is_no_record_and_leaves_no_history(cast, subject):
    visit = build.attended(cast.ana, subject)
    with user_scope(cast.ana):
        entry = visit.entries.get(form="vcss", limb="right")
        before = Change.objects.count()
        actions.save_draft(
            by=cast.ana, entry=entry, raw={"vcss-right-pain": ["9x"]}, revision=entry.revision
        )
        entry.refresh_from_db()
        assert (entry.state, entry.draft, entry.draft_by) == (
            "draft",
            {"vcss-right-pain": ["9x"]},
            cast.ana,
        )
        assert Vcss.objects.count() == 0
        assert Change.objects.count() == before


@pytest.mark.parametrize("scope", ["stop_collection", "erase_identity"])
def test_after_withdrawal_nothing_is_entered(cast, subject, scope):
    visit = build.attended(cast.ana, subject)
    with user_scope(cast.ana):
        withdraw_consent(by=cast.ana, participant=subject, on=cast.tokyo.today, scope=scope)
    with pytest.raises(ParticipantError):
        build.form(cast.ana, visit, "vcss", "right")


def test_unusual_values_open_a_query_that_mending_closes(cast, subject):
    visit = build.attended(cast.ana, subject)
    odd = {"calcium_total": "3.5", "calcium_total_typed": "3.5", "calcium_total_unit": "mmol/L"}
    record = build.form(cast.ana, visit, "laboratory", **odd)
    with user_scope(cast.ana):
        query = DataQuery.objects.get(item="calcium_total")
        assert (query.state, query.rule) == ("new", "expected")
        entry = FormEntry.objects.get(pk=record.entry_id)
        values = {"done_on": visit.attended_on, "sampled_on": visit.attended_on}
        actions.save_form(
            by=cast.ana,
            entry=entry,
            values=values | {"calcium_total": "2.3"},
            absent={},
            revision=entry.revision,
        )
        query.refresh_from_db()
        assert (query.state, query.closed_by) == ("closed", cast.ana)


def test_a_confirmed_value_is_not_asked_about(cast, subject):
    visit = build.attended(cast.ana, subject)
    with user_scope(cast.ana):
        entry = visit.entries.get(form="laboratory")
        actions.save_form(
            by=cast.ana,
            entry=entry,
            values={
                "done_on": visit.attended_on,
                "sampled_on": visit.attended_on,
                "calcium_total": "3.500",
            },
            absent={},
            confirmed={"calcium_total": "3.500"},
            revision=0,
        )
        assert not DataQuery.objects.filter(item="calcium_total").exists()


def test_a_locked_visit_refuses_action_and_raw_write(cast, subject):
    visit = build.completed(cast.ana, subject)
    with user_scope(cast.hiro):
        with pytest.raises(actions.VisitError, match="signed"):
            attesting.lock_visit(by=cast.hiro, visit=visit)
        attesting.sign_visit(by=cast.hiro, visit=visit, meaning="reviewed")
        attesting.lock_visit(by=cast.hiro, visit=visit)
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            Vcss.objects.filter(entry__visit=visit).update(pain=3)
    with pytest.raises(actions.VisitError):
        build.form(cast.ana, visit, "vcss", "right")
    with user_scope(cast.hiro):
        with pytest.raises(actions.VisitError):
            attesting.unlock_visit(by=cast.hiro, visit=visit, reason=" ")
        attesting.unlock_visit(by=cast.hiro, visit=visit, reason="wrong leg")
        assert Vcss.objects.filter(entry__visit=visit).update(pain=3) == 2


def test_unscheduled_visits_are_numbered(cast, subject):
    with user_scope(cast.ana):
        for number in (1, 2):
            visit = actions.add_unscheduled_visit(
                by=cast.ana, participant=subject, on=cast.tokyo.today
            )
            assert (visit.code, visit.label) == (f"UNS-{number}", f"Unscheduled {number}")


# -- what follows from a write -------------------------------------------------------------------


def test_a_row_removed_takes_back_the_forms_it_asked_for(cast, subject):
    visit = build.attended(cast.ana, subject)
    row = build.row(
        cast.ana, subject, "event", kind="dvt", limb="right", occurred_on=visit.attended_on
    )
    with user_scope(cast.ana):
        assert visit.entries.filter(form="villalta", limb="right").exists()
        actions.remove_row(by=cast.ana, entry=row.entry, reason="another participant")
        assert not visit.entries.filter(form="villalta").exists()


def test_an_attendance_is_checked_at_once(cast, subject):
    build.row(cast.ana, subject, "event", kind="death", occurred_on=subject.enrolled_on)
    with user_scope(cast.ana):
        assert not DataQuery.objects.exists()
    build.attended(cast.ana, subject, "M03")
    with user_scope(cast.ana):
        assert DataQuery.objects.get().label == "visits.event"


def test_saving_a_form_that_begins_no_other_costs_the_same_however_many_visits_follow(
    cast, subject, django_assert_max_num_queries
):
    baseline = build.attended(cast.ana, subject)
    build.form(cast.ana, baseline, "vcss", "right")  # fills what is cached
    with django_assert_max_num_queries(100) as alone:
        build.form(cast.ana, baseline, "vcss", "right", pain=1)
    for code in ("M03", "M06", "M12"):
        build.attended(cast.ana, subject, code)
    with django_assert_max_num_queries(len(alone)):
        build.form(cast.ana, baseline, "vcss", "right", pain=2)


def test_a_form_with_places_of_its_own_says_which_records_it_reads():
    for kind in FORMS.values():
        own = "places" in vars(kind.model)
        assert bool(kind.model.places_from) is own, kind.code
        assert set(kind.model.places_from) <= set(FORMS)
