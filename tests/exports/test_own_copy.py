"""A copy of Tokyo's own data is made, tells nothing on its way, or fails without a file."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone

from registry.access.models import User
from registry.access.scope import scope, user_scope
from registry.audit.models import Change
from registry.core.sealed_file import SealedWriter
from registry.exports import actions, tasks
from registry.exports.actions import ExportError, copying
from registry.exports.actions.locking import advisory_lock
from registry.exports.own.tables import Table
from registry.participants.models import Identity

from .. import build, owner
from .conftest import filled
from .own import PERSON, SECRETS, ZIP, copies, fresh, with_files


def test_one_copy_at_a_time(cohort, ask):
    ask()
    with pytest.raises(ExportError, match="already"):
        ask()


def test_building_twice_changes_nothing(cohort, take):
    own = take()
    tasks.build_site_copy(cohort.tokyo.pk, own.copy.pk)
    before = own.copy.stored_as
    assert (fresh(own.copy).state, own.copy.stored_as) == ("ready", before)
    assert len(mail.outbox) == 1


def test_the_sweep_sends_a_forgotten_copy_again(cohort, ask, sent):
    copy = ask()
    tasks.sweep_builds()
    assert len(sent) == 1
    copying._note(copy, asked_at=timezone.now() - timedelta(minutes=3))
    tasks.sweep_builds()
    assert sent == [(cohort.tokyo.pk, copy.pk)] * 2


# -- no identity anywhere else ---------------------------------------------------------------------


def test_no_identity_lies_in_storage_log_mail_or_task(cohort, take, sent, caplog):
    filled(cohort.ana, person=build.person(**PERSON))
    with caplog.at_level(logging.DEBUG):
        own = take()
    assert all(secret in own.everything for secret in SECRETS)
    [letter] = mail.outbox
    assert letter.to == ["hiro@example.org"]
    said = letter.body + letter.alternatives[0].content + letter.subject
    assert f"/own-data/TKY/{own.copy.pk}/" in said
    row = owner.rows("SELECT exports_sitecopy::text FROM exports_sitecopy")
    told = (said + caplog.text + str(sent) + str(row)).encode()
    for secret in [*SECRETS, cohort.people[0].study_number.encode()]:
        assert secret not in told
    [file] = copies()
    assert not any(one in file.read_bytes() for one in (*SECRETS, ZIP))
    assert sent == [(cohort.tokyo.pk, own.copy.pk)]


def test_the_key_never_enters_history(cohort, take):
    own = take()
    with user_scope(cohort.hiro):
        changes = list(Change.objects.filter(label="exports.sitecopy", key=own.copy.pk))
    assert [change.changes["state"] for change in changes] == [
        [None, "queued"],
        ["queued", "building"],
        ["building", "ready"],
    ]
    assert not any("key" in item for change in changes for item in change.changes)


# -- failures --------------------------------------------------------------------------------------


def failed(cohort, copy):
    tasks.build_site_copy(cohort.tokyo.pk, copy.pk)
    fresh(copy)
    assert (copy.state, copy.stored_as, copy.wrapped_key) == ("failed", "", None)
    assert not mail.outbox
    return copy.error


@pytest.mark.parametrize("when", ["while sealing", "while storing"])
def test_a_full_disk_leaves_no_file(cohort, ask, take, monkeypatch, settings, when):
    def full(*args):
        if when == "while storing":
            path = Path(settings.MEDIA_ROOT, args[1])
            path.parent.mkdir(parents=True)
            path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        place = (SealedWriter, "_seal") if when == "while sealing" else (FileSystemStorage, "save")
        patch.setattr(*place, lambda *args, **more: full(*args))
        assert failed(cohort, ask()) == "The file could not be written: No space left on device."
    assert not copies()
    take()  # a retry starts clean


def test_a_lost_row_fails_the_copy(cohort, ask, monkeypatch):
    rows = Table.__init__

    def one_less(self, name, label, columns, count, rows_of):
        lost = name == "ceap"
        rows(self, name, label, columns, count, (lambda: list(rows_of())[1:]) if lost else rows_of)

    monkeypatch.setattr(Table, "__init__", one_less)
    assert failed(cohort, ask()) == "ceap: 1 of 2 rows were delivered."
    assert not copies()


def test_a_lost_file_fails_the_copy(cohort, ask):
    film, _kept = with_files(cohort)
    default_storage.delete(film.original.name)
    assert failed(cohort, ask()).endswith(f"film-{film.pk}.png: the stored file is gone.")


def test_an_error_quotes_no_row(cohort, ask, caplog):
    with user_scope(cohort.ana):
        Identity.objects.update(family_name=b"torn" * 8)
    assert failed(cohort, ask()) == "The build stopped with an internal error (SealedError)."
    assert "TKY" not in caplog.text


def test_the_sweep_fails_a_copy_whose_builder_died(cohort, ask):
    copy = ask()
    left = default_storage.save("copies/half.sealed", ContentFile(b"half"))
    copying._note(copy, state="building", stored_as=left)
    with advisory_lock(copying.LOCKS, copy.pk, "owner"):
        tasks.sweep_builds()
        assert fresh(copy).state == "building"
    for _ in range(2):
        tasks.sweep_builds()
        assert (fresh(copy).state, copy.error) == ("failed", "The build was interrupted.")
    assert not copies()


def test_a_task_given_again_after_a_death_fails_its_copy(cohort, ask):
    copy = ask()
    copying._note(copy, state="building")
    assert failed(cohort, copy) == "The build was interrupted."


def test_who_lost_the_role_gets_nothing(cohort, ask, take):
    copy = ask()
    with scope(User.objects.system("migration"), []):
        cohort.hiro.memberships.all().delete()
    assert failed(cohort, copy).startswith("Only an investigator")
    hiro = User.objects.get(pk=cohort.hiro.pk)
    with user_scope(hiro), pytest.raises(ExportError):
        actions.ask_for_copy(by=hiro, site=cohort.tokyo)
