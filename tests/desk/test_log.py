"""Logs: rows added, saved like sections, removed with a reason."""

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.visits import actions
from registry.visits.models import FormEntry

from .. import build
from ..posting import Page, made_for, showing

FORM = "local_damage"


@pytest.fixture
def subject(cast):
    return build.participant(cast.ana)


@pytest.fixture
def ana(client, cast):
    client.force_login(cast.ana)
    return client


def add(cast, subject):
    with user_scope(cast.ana):
        return actions.add_row(by=cast.ana, participant=subject, form=FORM)


def url_of(subject, name="log", *more):
    return reverse(name, args=[subject.study_number, FORM, *more])


def test_rows_are_numbered_on(cast, subject):
    rows = [add(cast, subject) for _number in range(3)]
    assert [row.occurrence for row in rows] == ["1", "2", "3"]
    with user_scope(cast.ana):
        actions.remove_row(by=cast.ana, entry=rows[1])
    assert add(cast, subject).occurrence == "4"


def test_a_row_is_added_typed_and_shown(ana, cast, subject):
    assert "Nothing is recorded here yet." in ana.get(url_of(subject)).content.decode()
    added = ana.post(url_of(subject), made_for(ana, subject))
    assert added["Location"] == f"{url_of(subject)}#form-local_damage-1"
    page = Page(ana, None, f"{FORM}-1", url=url_of(subject))
    page.url = url_of(subject, "log_row", "1")
    control = f"{FORM}-1-year"
    response = page.send(script=True, **{control: ["x"]})
    assert response.status_code == 200
    with user_scope(cast.ana):
        assert FormEntry.objects.get(form=FORM).draft[control] == ["x"]
    assert "Draft of Ana Sato" in ana.get(url_of(subject)).content.decode()


def test_two_rows_do_not_mix(ana, cast, subject):
    for _number in range(10):
        add(cast, subject)
    page = Page(ana, None, f"{FORM}-1", url=url_of(subject))
    page.url = url_of(subject, "log_row", "1")
    page.send(script=True, **{f"{FORM}-1-examiner": "A", f"{FORM}-10-examiner": "B"})
    with user_scope(cast.ana):
        drafts = [row.draft for row in actions.log_rows(subject, FORM) if row.draft]
    assert drafts == [{f"{FORM}-1-examiner": ["A"]}]


def completed(cast, subject):
    entry = add(cast, subject)
    values = {"done_on": subject.enrolled_on, "limb": "right", "kind": "burn"}
    with user_scope(cast.ana):
        record = actions.save_form(
            by=cast.ana, entry=entry, values=values, absent={}, revision=entry.revision
        )
    return entry, record


def test_a_completed_row_is_removed_with_a_reason_only(ana, cast, subject):
    entry, record = completed(cast, subject)
    remove = url_of(subject, "remove_log_row", entry.occurrence)
    with user_scope(cast.ana):
        page = made_for(ana, subject) | showing(participant=subject)
    refused = ana.post(remove, page)
    assert refused.status_code == 422
    assert "Say why the row is removed." in refused.content.decode()
    assert ana.post(remove, page | {"reason": "entered twice"}).status_code == 302
    with user_scope(cast.ana):
        assert not FormEntry.objects.filter(form=FORM).exists()
        gone = Change.objects.get(label="crfs.localdamage", key=record.pk, action="delete")
        assert (gone.reason, gone.by) == ("entered twice", cast.ana)


def test_a_locked_row_stays(cast, subject):
    entry = add(cast, subject)
    with user_scope(cast.ana):
        FormEntry.objects.filter(pk=entry.pk).update(locked_at="2026-01-01T00:00Z")
        with pytest.raises(actions.VisitError, match="locked"):
            actions.remove_row(by=cast.ana, entry=entry)


@pytest.mark.parametrize("name", ["log", "log_row", "remove_log_row"])
def test_others_reach_no_row(client, cast, subject, name):
    add(cast, subject)
    url = url_of(subject, name, *([] if name == "log" else ["1"]))
    for user, status in ((cast.ben, 404), (cast.vera, 403)):
        client.force_login(user)
        assert client.post(url).status_code == status


def test_what_is_no_log_is_404(ana, subject):
    for form in ("ceap", "nonsense"):
        assert ana.get(reverse("log", args=[subject.study_number, form])).status_code == 404
    assert ana.post(url_of(subject, "log_row", "7")).status_code == 404


def test_the_review_links_to_its_logs(ana, cast, subject):
    visit = build.attended(cast.ana, subject)
    add(cast, subject)
    text = ana.get(reverse("visit", args=[visit.pk])).content.decode()
    section = text.split('id="form-log_review"')[1].split("</section>")[0]
    assert f'href="{url_of(subject)}"' in section
    assert "1 row" in section
