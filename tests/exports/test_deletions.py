"""Who went out and stopped sharing: found, told to the project, deleted there, confirmed."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, connections
from django.urls import reverse
from django.utils import timezone

from registry.access.actions import choose_language
from registry.access.models import Membership, User
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.exports import actions, tasks
from registry.exports.actions import ExportError
from registry.exports.models import Dataset, DatasetProject, Deletion
from registry.participants import actions as participants
from registry.participants.models import Screening

from .. import build, databases, owner
from .conftest import ENROLLED, apart, made, ordered


def stop(cohort, someone, how="stop_sharing"):
    with user_scope(cohort.ana):
        participants.withdraw_consent(
            by=cohort.ana, participant=someone, on=cohort.tokyo.today, scope=how
        )


def say(cohort, someone, allows, days):
    """A new consent, some days after enrolment."""
    with user_scope(cohort.ana):
        screened = Screening.objects.select_related("site").get(pk=someone.screening_id)
    build.consent(
        cohort.ana, screened, signed_on=ENROLLED + timedelta(days=days), allows_sharing=allows
    )


def pseudonym(someone, project):
    [(code,)] = owner.rows(
        "SELECT code FROM exports_pseudonym WHERE participant_id = %s AND project_id = %s",
        someone.pk,
        project.pk,
    )
    return code


def listed(project):
    return [one.pseudonym for one in actions.to_delete(project=project)]


def ledger():
    return list(Deletion.objects.order_by("pk").values())


@pytest.fixture(scope="module")
def cohort_database(cohort_database, django_db_blocker, tmp_path_factory):
    """The cohort with a dataset of all three, built once."""
    given = connections["default"].settings_dict
    former = given["NAME"]
    with (
        django_db_blocker.unblock(),
        apart(cohort_database, "released", tmp_path_factory) as cast,
    ):
        made(ordered(cast))
        name = given["NAME"]
        databases.use(former)
        yield name, cast


@pytest.fixture
def project(cohort):
    """The project that holds the dataset."""
    return DatasetProject.objects.get()


@pytest.fixture
def page_of(shown, project):
    """Open a page of the project as somebody."""

    def open_page(who, data=None, name="dataset_deletions"):
        return shown(who, name, project.pk, data=data)

    return open_page


def test_the_project_is_told_which_pseudonyms_to_delete(cohort, project, page_of):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    code = pseudonym(cohort.people[0], project)
    assert listed(project) == [code]
    got = page_of(cohort.fay).content.decode()
    assert code in got
    assert "1 participant no longer shares data" in got
    assert "These are deleted from our copies" in got


@pytest.mark.parametrize("how", ["stop_contact", "stop_collection"])
def test_other_withdrawals_delete_nothing(cohort, project, how):
    stop(cohort, cohort.people[0], how)
    tasks.find_deletions()
    assert ledger() == []


def test_a_newer_consent_that_refuses_deletes_as_well(cohort, project):
    say(cohort, cohort.people[1], False, 30)
    tasks.find_deletions()
    assert listed(project) == [pseudonym(cohort.people[1], project)]


def test_whoever_never_went_out_is_not_told(cohort, project):
    late = build.participant(cohort.ana, enrolled_on=ENROLLED)
    stop(cohort, late)
    tasks.find_deletions()
    assert ledger() == []


def test_what_failed_to_be_built_never_went_out(cohort, project):
    Dataset.objects.update(state="failed")
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    assert ledger() == []


def test_looking_twice_changes_nothing(cohort, project):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    before = ledger()
    tasks.find_deletions()
    assert ledger() == before
    assert len(before) == len(mail.outbox) == 1


def test_the_mail_says_how_many_and_where_and_no_more(cohort, project):
    stop(cohort, cohort.people[0])
    say(cohort, cohort.people[1], False, 30)
    with user_scope(cohort.fay):
        choose_language(by=cohort.fay, language="pt-br")
    tasks.find_deletions()
    [letter] = mail.outbox
    assert letter.to == ["fay@example.org"]
    [html] = letter.alternatives
    assert '<html lang="pt-br">' in html.content
    for part in (letter.body, html.content):
        assert reverse("dataset_deletions", args=[project.pk]) in part
        assert "2 participantes" in part
        for someone in cohort.people:
            assert pseudonym(someone, project) not in part
            assert someone.study_number not in part


def test_a_mail_that_cannot_be_sent_is_sent_by_the_next_run(cohort, project, monkeypatch):
    stop(cohort, cohort.people[0])
    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
        tasks.find_deletions()
    assert [row["told_at"] for row in ledger()] == [None]
    tasks.find_deletions()
    assert len(mail.outbox) == 1
    assert ledger()[0]["told_at"]


def refuse(*args, **about):
    raise ConnectionRefusedError


def test_each_project_is_told_its_own_and_none_of_anothers(cohort, project, built):
    other = built().dataset.request.project
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    assert listed(project) == [pseudonym(cohort.people[0], project)]
    assert listed(other) == [pseudonym(cohort.people[0], other)]
    assert listed(project) != listed(other)


def test_the_list_says_in_which_datasets_they_went_out(cohort, project, built):
    later = built(project=project).dataset
    first = Dataset.objects.exclude(pk=later.pk).get()
    built(project=project, arms=["cvi"], formats=["csv"])
    stop(cohort, cohort.people[0])
    built(project=project)
    tasks.find_deletions()
    [one] = actions.to_delete(project=project)
    assert one.datasets == [first.pk, later.pk, later.pk + 1]


# -- confirming ---------------------------------------------------------------------------------


def test_the_researcher_confirms_and_the_list_is_empty(cohort, project, page_of):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    seen = page_of(cohort.fay)
    assert page_of(cohort.fay, {"last": seen.context["last"]}).status_code == 302
    [row] = ledger()
    assert (row["confirmed_by_id"], bool(row["confirmed_at"])) == (cohort.fay.pk, True)
    assert listed(project) == []
    tasks.find_deletions()
    assert ledger() == [row]
    got = page_of(cohort.jun).content.decode()
    assert "1 participant: Fay Okafor confirmed the deletion" in got


def test_what_was_not_seen_is_not_confirmed(cohort, project, page_of):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    seen = page_of(cohort.fay).context["last"]
    stop(cohort, cohort.people[1])
    tasks.find_deletions()
    page_of(cohort.fay, {"last": seen})
    assert listed(project) == [pseudonym(cohort.people[1], project)]


@pytest.mark.parametrize("last", ["", "0", "x", "-1", "9" * 18, "9" * 6000, "٣"])
def test_a_list_that_nobody_saw_confirms_nothing(cohort, project, page_of, last):
    assert page_of(cohort.fay, {"last": last}).status_code == 409


def test_nothing_is_confirmed_while_a_dataset_that_may_hold_them_is_built(
    cohort, project, page_of, order
):
    """It may have begun before they stopped, and be ready after the confirmation."""
    queued = order(project=project)
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    seen = page_of(cohort.fay)
    assert "These are deleted" not in seen.content.decode()
    refused = page_of(cohort.fay, {"last": seen.context["last"]})
    assert refused.status_code == 409
    assert "is being built" in refused.content.decode()
    tasks.build_dataset(queued.pk)
    assert page_of(cohort.fay, {"last": seen.context["last"]}).status_code == 302


def test_only_the_projects_researcher_confirms(cohort, project, page_of):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    last = page_of(cohort.jun).context["last"]
    assert "Fay Okafor has not confirmed" in page_of(cohort.jun).content.decode()
    assert page_of(cohort.jun, {"last": last}).status_code == 409
    with pytest.raises(ExportError, match="researcher"):
        actions.confirm_deletions(by=cohort.jun, project=project, last=last)
    assert len(listed(project)) == 1


# -- sharing allowed again ----------------------------------------------------------------------


def test_sharing_allowed_again_before_the_deletion_lifts_it(cohort, project, page_of):
    someone = cohort.people[1]
    say(cohort, someone, False, 30)
    tasks.find_deletions()
    say(cohort, someone, True, 60)
    tasks.find_deletions()
    assert listed(project) == []
    [row] = ledger()
    assert row["lifted_at"]
    assert not row["confirmed_at"]
    assert "1 participant allowed sharing again" in page_of(cohort.fay).content.decode()
    tasks.find_deletions()
    assert ledger() == [row]
    # What was lifted is not deleted, so that stopping once more is told anew.
    say(cohort, someone, False, 90)
    tasks.find_deletions()
    assert listed(project) == [pseudonym(someone, project)]
    assert len(mail.outbox) == 2


def test_a_withdrawal_of_sharing_is_never_lifted(cohort, project):
    stop(cohort, cohort.people[1])
    tasks.find_deletions()
    say(cohort, cohort.people[1], True, 60)
    tasks.find_deletions()
    assert len(listed(project)) == 1


def test_a_confirmed_deletion_is_asked_for_again_only_after_another_release(
    cohort, project, page_of, built
):
    someone = cohort.people[1]
    say(cohort, someone, False, 30)
    tasks.find_deletions()
    page_of(cohort.fay, {"last": page_of(cohort.fay).context["last"]})
    say(cohort, someone, True, 60)
    say(cohort, someone, False, 90)
    tasks.find_deletions()
    assert listed(project) == []
    say(cohort, someone, True, 120)
    built(project=project)
    say(cohort, someone, False, 150)
    tasks.find_deletions()
    assert listed(project) == [pseudonym(someone, project)]
    assert len(ledger()) == 2


# -- walls --------------------------------------------------------------------------------------


def test_the_web_role_reads_only_the_pseudonyms_to_delete(cohort, project):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    for statement in (
        "SELECT * FROM exports_included",
        "SELECT * FROM exports_pseudonym",
        "SELECT * FROM release.stopped",
        "SELECT registry_record_people(NULL)",
        "DELETE FROM exports_deletion",
        "INSERT INTO exports_deletion (project_id, pseudonym_id, found_at) VALUES (1, 1, now())",
        "UPDATE exports_deletion SET pseudonym_id = 1",
        "UPDATE exports_deletion SET lifted_at = now()",
    ):
        with (
            pytest.raises(Exception, match="permission denied"),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert listed(project) == [pseudonym(cohort.people[0], project)]


def test_another_researcher_finds_no_project_and_a_coordinator_no_page(cohort, project, page_of):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    with scope(User.objects.system("migration"), []):
        Membership.objects.create(user=cohort.gus, role=Role.RESEARCHER)
    for name in ("dataset_project", "dataset_deletions", "dataset_deletions_csv"):
        assert page_of(cohort.gus, name=name).status_code == 404
        assert page_of(cohort.ana, name=name).status_code == 403
        assert page_of(cohort.jun, name=name).status_code == 200
    assert page_of(cohort.gus, {"last": "1"}).status_code == 404


# -- pages --------------------------------------------------------------------------------------


def test_the_list_is_downloaded_as_a_table(cohort, project, page_of):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    answer = page_of(cohort.fay, name="dataset_deletions_csv")
    assert answer["Content-Disposition"].startswith("attachment")
    [found] = Deletion.objects.values_list("found_at", flat=True)
    code, number = pseudonym(cohort.people[0], project), Dataset.objects.get().pk
    since = found.astimezone(timezone.get_fixed_timezone(0)).isoformat(timespec="seconds")
    assert answer.content.decode() == (
        f"participant,to_delete_since,datasets\r\n{code},{since},{number}\r\n"
    )


def test_the_steward_sees_who_has_not_confirmed(cohort, project, client):
    stop(cohort, cohort.people[0])
    tasks.find_deletions()
    client.force_login(cohort.jun)
    got = client.get(reverse("dataset_projects")).content.decode()
    assert reverse("dataset_deletions", args=[project.pk]) in got
    assert "Fay Okafor" in got


def test_the_project_page_shows_releases_in_order(cohort, project, page_of, built):
    stop(cohort, cohort.people[0])
    built(project=project)
    tasks.find_deletions()
    got = page_of(cohort.fay, name="dataset_project")
    first, later = got.context["releases"]
    assert (first["participants"], later["participants"]) == (3, 2)
    assert (first["to_delete"], later["to_delete"]) == (1, 0)
    assert first["changes"] is None
    assert later["changes"].participants["stopped_sharing"] == 1
    assert "0 participants added, 1 gone (1 stopped sharing)" in " ".join(
        got.content.decode().split()
    )
