"""What people vouch for: verified items, signatures, locks, and how each falls away."""

import re
from dataclasses import replace

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.urls import reverse

from registry.access.models import User
from registry.access.scope import user_scope
from registry.audit.models import Change, Signature, Voiding
from registry.audit.rules import fingerprint
from registry.crfs.models import Vcss
from registry.quality.models import Verification
from registry.ulcers.actions import add_ulcer
from registry.visits import attesting, schedule
from registry.visits.actions import VisitError, adopt_plan, save_draft, save_form
from registry.visits.models import FormEntry, Visit
from registry.visits.schedule import Asked

from .. import build
from ..people import PASSWORD, make_cast
from ..posting import made_for, showing


def raw(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def visit(cast):
    return build.completed(cast.ana, build.participant(cast.ana))


@pytest.fixture
def vcss(cast, visit):
    with user_scope(cast.ana):
        return Vcss.objects.get(entry__visit=visit, entry__limb="right")


def change(by, record, **values):
    """Amend a form as its page would."""
    with user_scope(by):
        entry = FormEntry.objects.get(pk=record.entry_id)
        names = [*build.FILLED["vcss"], "done_on", "ulcer_comment"]
        kept = {name: getattr(record, name) for name in names}
        return save_form(
            by=by, entry=entry, values=kept | values, absent={}, revision=entry.revision
        )


def state(by, record):
    with user_scope(by):
        return FormEntry.objects.get(pk=record.entry_id).state


def status(by, visit):
    with user_scope(by):
        return Visit.objects.filter(pk=visit.pk).with_status(visit.target_on).get().status


# -- fingerprints --------------------------------------------------------------------------------


def test_a_fingerprint_is_the_same_whatever_the_order_and_another_for_another_value():
    one = fingerprint({"a": 1, "b": [None, "x"]})
    assert one == fingerprint({"b": [None, "x"], "a": 1})
    others = [{"a": 2, "b": [None, "x"]}, {"a": 1}, {"a": "1", "b": [None, "x"]}]
    assert len({one, *map(fingerprint, others)}) == 4


# -- verifying -----------------------------------------------------------------------------------


def verify(by, record, *items):
    with user_scope(by):
        attesting.verify(by=by, entry=record.entry, items=items)


def test_a_form_whose_every_answer_is_verified_is_verified(cast, vcss):
    names = [*build.FILLED["vcss"], "done_on"]
    for name in names[:-1]:
        verify(cast.eli, vcss, name)
    assert state(cast.eli, vcss) == "complete"
    verify(cast.eli, vcss, names[-1])
    assert state(cast.eli, vcss) == "verified"
    with user_scope(cast.eli):
        assert {one.by for one in Verification.objects.all()} == {cast.eli}


def test_a_whole_form_is_verified_in_one_press(cast, vcss, visit):
    verify(cast.eli, vcss)
    assert state(cast.eli, vcss) == "verified"
    assert status(cast.eli, visit) == "complete"


def by_page(cast, record):
    change(cast.ana, record, pain=1)


def by_sql(cast, record):
    with user_scope(cast.ana):
        raw("UPDATE crfs_vcss SET pain = 1 WHERE id = %s", record.pk)


@pytest.mark.parametrize("write", [by_page, by_sql])
def test_a_change_ends_the_verification_of_that_item_and_says_so(cast, client, vcss, write):
    verify(cast.eli, vcss)
    write(cast, vcss)
    assert state(cast.eli, vcss) == "complete"
    with user_scope(cast.eli):
        fallen = Verification.objects.get(fallen_at__isnull=False)
        assert (fallen.item, fallen.by, fallen.fallen_by) == ("pain", cast.eli, cast.ana)
    client.force_login(cast.ana)
    page = client.get(reverse("visit", args=[vcss.entry.visit_id])).content.decode()
    assert "Verified value changed on" in page
    verify(cast.eli, vcss, "pain")
    assert state(cast.eli, vcss) == "verified"
    with user_scope(cast.eli):
        history = Change.objects.filter(label="quality.verification", key=fallen.pk)
        assert history.count() == 3  # verified, fallen, verified anew


def test_what_the_registry_works_out_anew_leaves_a_verified_form_verified(cast, visit):
    """The grade is derived from other records too; nobody verifies it."""
    with user_scope(cast.ana):
        entry = FormEntry.objects.create(
            participant=visit.participant, visit=visit, form="villalta", limb="right"
        )
    villalta = build.form(cast.ana, visit, "villalta", "right")
    verify(cast.eli, villalta)
    with user_scope(cast.ana):
        raw("UPDATE crfs_villalta SET grade = 'severe' WHERE id = %s", villalta.pk)
        entry.refresh_from_db()
    assert entry.state == "verified"


def test_saving_the_same_answers_again_leaves_a_verified_form_verified(cast, vcss):
    verify(cast.eli, vcss)
    change(cast.ana, vcss)
    assert state(cast.eli, vcss) == "verified"


def test_an_answer_added_later_is_still_to_be_verified(cast, vcss):
    verify(cast.eli, vcss)
    change(cast.ana, vcss, ulcer_comment="Seen by the surgeon.")
    assert state(cast.eli, vcss) == "complete"
    with user_scope(cast.eli):
        assert not Verification.objects.filter(fallen_at__isnull=False).exists()


def test_what_has_no_answer_or_a_draft_is_not_verified(cast, vcss):
    with pytest.raises(VisitError, match="no answer"):
        verify(cast.eli, vcss, "ulcer_comment")
    with user_scope(cast.ana):
        entry = FormEntry.objects.get(pk=vcss.entry_id)
        save_draft(by=cast.ana, entry=entry, raw={}, revision=entry.revision)
    with pytest.raises(VisitError, match="draft"):
        verify(cast.eli, vcss)


def test_only_a_monitor_verifies(cast, client, vcss):
    url = reverse("verify_form", args=[vcss.entry_id])
    for who in (cast.ana, cast.hiro, cast.ines, cast.ben, cast.vera):
        client.force_login(who)
        assert client.post(url, {"item": "pain"}).status_code == 403
    with user_scope(cast.eli):
        assert not Verification.objects.exists()
    client.force_login(cast.eli)
    there = client.post(url, {"item": "pain"})["Location"]
    assert there.endswith("#id_vcss-right-pain")
    with user_scope(cast.eli):
        assert Verification.objects.get().by == cast.eli


def test_a_tick_beside_the_item_brings_back_its_note(cast, client, vcss):
    client.force_login(cast.eli)
    url = reverse("verify_form", args=[vcss.entry_id])
    note = client.post(url, {"item": "pain"}, headers={"HX-Request": "true"}).content.decode()
    assert "Verified" in note
    assert "Eli Stone" in note
    assert "Verified against source" not in note


# -- signing -------------------------------------------------------------------------------------


def sign(client, visit, **data):
    data = (
        {"meaning": "reviewed", "password": PASSWORD} | made_for(client, visit.participant) | data
    )
    with user_scope(User.objects.get(pk=client.session["_auth_user_id"])):
        data = showing(visit=visit) | data
    return client.post(reverse("sign_visit", args=[visit.pk]), data)


def test_an_investigator_signs_with_name_meaning_and_fingerprint(cast, client, visit):
    client.force_login(cast.hiro)
    assert sign(client, visit).status_code == 302
    assert status(cast.hiro, visit) == "signed"
    with user_scope(cast.hiro):
        signature = Signature.objects.get()
        assert (signature.by, signature.name) == (cast.hiro, "Hiro Mori")
        assert len(signature.fingerprint) == 64
        assert len(signature.covers) == visit.entries.count()
        covered = next(one for one in signature.covers.values() if one["form"] == "vcss")
        assert "pain" in covered["items"]
        assert "total" not in covered["items"]  # derived
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "I confirm that I have reviewed these data" in page
    assert "Covers:" in page


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"password": "wrong"}, "This is not your password. Nothing was signed."),
        ({"password": ""}, "This is not your password. Nothing was signed."),
        ({"meaning": ""}, "Say what your signature means."),
        ({"meaning": "nonsense"}, "Say what your signature means."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_signed(cast, client, visit, data, says):
    client.force_login(cast.hiro)
    response = sign(client, visit, **data)
    assert response.status_code == 422
    assert says in response.content.decode()
    if "password" in data:
        assert 'value="reviewed" checked' in response.content.decode()
    with user_scope(cast.hiro):
        assert not Signature.objects.exists()


def test_guessing_the_password_is_limited(cast, client, visit):
    client.force_login(cast.hiro)
    for _try in range(10):
        sign(client, visit, password="guess")
    response = sign(client, visit)
    assert response.status_code == 422
    assert "Too many tries" in response.content.decode()
    with user_scope(cast.hiro):
        assert not Signature.objects.exists()


def test_nobody_else_signs(cast, client, visit):
    for who in (cast.ana, cast.vera, cast.eli, cast.ines, cast.ben):
        client.force_login(who)
        assert sign(client, visit).status_code == 403
    with user_scope(cast.hiro):
        assert not Signature.objects.exists()


def test_only_a_complete_visit_without_a_draft_is_signed(cast, visit, vcss):
    with user_scope(cast.ana):
        entry = FormEntry.objects.get(pk=vcss.entry_id)
        save_draft(by=cast.ana, entry=entry, raw={}, revision=entry.revision)
    started = build.attended(cast.ana, visit.participant, "M03", on=cast.tokyo.today)
    for unfinished in (visit, started):
        with user_scope(cast.hiro), pytest.raises(VisitError, match="complete"):
            attesting.sign_visit(by=cast.hiro, visit=unfinished, meaning="reviewed")


@pytest.fixture
def signed(cast, visit):
    with user_scope(cast.hiro):
        attesting.sign_visit(by=cast.hiro, visit=visit, meaning="reviewed")
    return visit


@pytest.mark.parametrize("write", [by_page, by_sql])
def test_a_change_voids_the_signature_visibly_and_for_good(cast, client, signed, vcss, write):
    write(cast, vcss)
    assert status(cast.hiro, signed) == "complete"
    with user_scope(cast.hiro):
        voiding = Voiding.objects.get()
        assert (voiding.by, voiding.entry, voiding.items) == (cast.ana, vcss.entry_id, ["pain"])
    client.force_login(cast.hiro)
    page = client.get(reverse("visit", args=[signed.pk])).content.decode()
    assert "Signature of Hiro Mori of" in page
    assert "VCSS Right: Pain or discomfort changed by Ana Sato." in page
    change(cast.ana, vcss, pain=0)  # as it was
    assert status(cast.hiro, signed) == "complete"
    assert sign(client, signed).status_code == 302
    assert status(cast.hiro, signed) == "signed"
    with user_scope(cast.hiro):
        assert Signature.objects.count() == 2


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE crfs_vcss SET pain = NULL, absent = \'{"pain": "refused"}\' WHERE id = %s',
        "DELETE FROM crfs_vcss WHERE id = %s",
    ],
)
def test_an_absence_code_and_a_deletion_void_too(cast, signed, vcss, statement):
    with user_scope(cast.ana):
        raw(statement, vcss.pk)
        assert "pain" in Voiding.objects.get().items


def test_what_is_not_signed_changes_without_harm(cast, signed, vcss):
    with user_scope(cast.ana):
        raw('UPDATE crfs_vcss SET confirmed = \'{"pain": "1"}\' WHERE id = %s', vcss.pk)
        change(cast.ana, vcss)
        assert not Voiding.objects.exists()
    assert status(cast.hiro, signed) == "signed"


def test_an_item_that_an_amendment_added_is_not_covered_and_voids_nothing(cast, signed, vcss):
    """As if the protocol had asked for the comment only after the signature."""
    with user_scope(cast.hiro):
        signature = Signature.objects.get()
        covers = signature.covers
        covers[str(vcss.entry_id)]["items"].remove("ulcer_comment")
        older = Signature.objects.create(
            site_id=signature.site_id,
            label=signature.label,
            key=signature.key,
            by=cast.hiro,
            name="Hiro Mori",
            meaning="reviewed",
            covers=covers,
            codebook_version="0",
            fingerprint=signature.fingerprint,
        )
        signed.entries.update(signature=older)
    change(cast.ana, vcss, ulcer_comment="new")
    with user_scope(cast.hiro):
        assert not Voiding.objects.exists()


def test_a_protocol_version_leaves_what_was_signed_as_it_was(cast, signed, vcss, monkeypatch):
    """An amendment that asks a further form of the visit comes too late for a signed one."""
    visits = [
        replace(one, forms=(*one.forms, Asked("biopsy"))) if one.code in ("BL", "M12") else one
        for one in schedule.PLAN_1_0.visits
    ]
    plan = schedule.Plan("1.1", tuple(visits))
    monkeypatch.setitem(schedule.PLANS, plan.version, plan)
    with user_scope(cast.ana):
        forms = set(signed.entries.values_list("form", flat=True))
        adopt_plan(by=cast.ana, participants=[signed.participant_id], plan=plan)
        later = Visit.objects.get(participant=signed.participant_id, code="M12")
        assert later.entries.filter(form="biopsy").count() == 2
    change(cast.ana, vcss)  # a save refreshes the visit's forms, and changes no answer
    with user_scope(cast.hiro):
        assert set(signed.entries.values_list("form", flat=True)) == forms
        assert not Voiding.objects.exists()
    assert status(cast.hiro, signed) == "signed"


def test_a_form_added_later_is_named_as_not_covered(cast, client, signed):
    with user_scope(cast.ana):
        visit = Visit.objects.select_related("participant__site").get(pk=signed.pk)
        values = {"location": ["foot"], "onset_on": "2020", "ulcer_cause": "venous"}
        add_ulcer(
            by=cast.ana, participant=visit.participant, limb="right", visit=visit, values=values
        )
        assert not Voiding.objects.exists()
    assert status(cast.hiro, signed) == "attended"
    client.force_login(cast.hiro)
    page = client.get(reverse("visit", args=[signed.pk])).content.decode()
    assert "Not covered by a signature that stands: Ulcers R1." in page


def test_a_change_that_slipped_past_the_trigger_shows_at_once_and_is_void_by_night(
    committed, client
):
    """A superuser who switches triggers off leaves no trace but the fingerprint."""
    cast = make_cast()
    visit = build.signed(cast.hiro, build.participant(cast.hiro))
    verify_first(cast, visit)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE crfs_vcss DISABLE TRIGGER USER")
        cursor.execute("UPDATE crfs_vcss SET pain = 3")
        cursor.execute("ALTER TABLE crfs_vcss ENABLE TRIGGER USER")
    client.force_login(cast.hiro)
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "no longer have the fingerprint" in page
    nightly = User.objects.system("recheck")
    for _night in range(2):
        with user_scope(cast.eli):
            attesting.recheck_attested(by=nightly, participants=[visit.participant_id])
    assert status(cast.hiro, visit) == "complete"
    with user_scope(cast.hiro):
        assert Voiding.objects.get().by == nightly
        assert Verification.objects.get(item="pain").fallen_by == nightly
        assert Verification.objects.get(item="oedema").holds
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "a signed value changed by Nightly check." in page


def verify_first(cast, visit):
    with user_scope(cast.eli):
        entry = visit.entries.get(form="vcss", limb="right")
        attesting.verify(by=cast.eli, entry=entry, items=["pain", "oedema"])


def test_a_signature_is_never_changed(cast, signed):
    with user_scope(cast.hiro):
        for statement in (
            "UPDATE audit_signature SET name = 'Somebody'",
            "DELETE FROM audit_signature",
            "UPDATE audit_voiding SET items = '[]'",
        ):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                raw(statement)


def test_visits_wait_for_those_who_may_sign_them(cast, visit):
    def waiting(user):
        with user_scope(user):
            return list(Visit.objects.waiting_for_signature(user))

    assert waiting(cast.hiro) == [visit]
    for who in (cast.ana, cast.vera, cast.eli, cast.ben):
        assert waiting(who) == []
    with user_scope(cast.hiro):
        attesting.sign_visit(by=cast.hiro, visit=visit, meaning="reviewed")
    assert waiting(cast.hiro) == []
    with user_scope(cast.ana):
        raw("UPDATE crfs_vcss SET pain = 2")
    assert waiting(cast.hiro) == [visit]
    draft(cast.ana, visit)
    assert waiting(cast.hiro) == []


# -- locking -------------------------------------------------------------------------------------


def test_who_locks_and_who_unlocks(cast, client, signed):
    lock, unlock = (reverse(name, args=[signed.pk]) for name in ("lock_visit", "unlock_visit"))
    for who, may_lock, may_unlock in (
        (cast.ana, 403, 403),
        (cast.eli, 403, 403),
        (cast.ben, 403, 403),
        (cast.hiro, 302, 403),
        (cast.ines, 302, 302),
    ):
        client.force_login(who)
        page = made_for(client, signed.participant)
        assert client.post(lock, page).status_code == may_lock
        assert (status(cast.hiro, signed) == "locked") is (may_lock == 302)
        assert client.post(unlock, page | {"reason": "wrong leg"}).status_code == may_unlock
    assert status(cast.hiro, signed) == "signed"


def test_a_locked_visit_is_read_only_and_says_so(cast, client, signed, vcss):
    with user_scope(cast.hiro):
        attesting.lock_visit(by=cast.hiro, visit=signed)
    client.force_login(cast.ana)
    page = client.get(reverse("visit", args=[signed.pk])).content.decode()
    form = page.split('id="form-vcss"')[1].split("</section>")[0]
    controls = re.findall(r"<(?:input|select|textarea)[^>]*>", form)
    assert len(controls) > 80
    assert [one for one in controls if "disabled" not in one and 'type="hidden"' not in one] == []
    assert "Save draft" not in page
    assert "Locked by Hiro Mori" in page
    with user_scope(cast.hiro):
        with pytest.raises(VisitError, match="locked"):
            attesting.sign_visit(by=cast.hiro, visit=signed, meaning="reviewed")
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            raw("UPDATE crfs_vcss SET pain = 3 WHERE id = %s", vcss.pk)


def draft(by, visit):
    with user_scope(by):
        entry = visit.entries.get(form="vcss", limb="right")
        save_draft(by=by, entry=entry, raw={"vcss-right-pain": ["1"]}, revision=entry.revision)


def test_a_visit_with_a_draft_is_not_locked(cast, client, signed):
    """The draft could neither be completed nor discarded then."""
    draft(cast.ana, signed)
    client.force_login(cast.hiro)
    page = client.get(reverse("visit", args=[signed.pk])).content.decode()
    assert reverse("lock_visit", args=[signed.pk]) not in page
    with user_scope(cast.hiro), pytest.raises(VisitError, match="draft"):
        attesting.lock_visit(by=cast.hiro, visit=signed)


def test_a_second_lock_leaves_the_first_as_it_is(cast, signed):
    with user_scope(cast.hiro):
        attesting.lock_visit(by=cast.hiro, visit=signed)
    with user_scope(cast.ines):
        with pytest.raises(VisitError, match="The visit is locked"):
            attesting.lock_visit(by=cast.ines, visit=signed)
        assert {entry.locked_by for entry in signed.entries.all()} == {cast.hiro}


def test_unlocking_needs_a_reason_and_keeps_it(cast, client, signed):
    with user_scope(cast.hiro):
        attesting.lock_visit(by=cast.hiro, visit=signed)
    client.force_login(cast.ines)
    url = reverse("unlock_visit", args=[signed.pk])
    assert client.get(url).status_code == 200
    page = made_for(client, signed.participant)
    refused = client.post(url, page | {"reason": " "})
    assert refused.status_code == 422
    assert "Say why the visit is unlocked." in refused.content.decode()
    assert client.post(url, page | {"reason": "wrong leg"}).status_code == 302
    assert status(cast.hiro, signed) == "signed"  # nothing has changed
    with user_scope(cast.ines):
        reasons = Change.objects.filter(changes__has_key="locked_at").values_list("reason")
        assert ("wrong leg",) in set(reasons)


def test_an_unsigned_visit_is_not_locked(cast, client, visit):
    client.force_login(cast.hiro)
    page = made_for(client, visit.participant)
    response = client.post(reverse("lock_visit", args=[visit.pk]), page, follow=True)
    assert "every form is signed can be locked" in response.content.decode()
    assert status(cast.hiro, visit) == "complete"
