"""A dataset is built whole, or fails and says why."""

import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connections, transaction

from registry.access.actions import choose_language
from registry.access.scope import user_scope
from registry.exports import actions, tasks, writers
from registry.exports.actions import building
from registry.exports.archive import Delivery
from registry.exports.models import Dataset

from .. import owner
from .conftest import CANARY, stored


def test_progress_is_of_real_rows_and_one_mail_is_sent(cohort, built):
    opened = built()
    done = opened.dataset
    assert done.rows_done == done.rows_expected
    assert done.rows_expected == sum(row["delivered"] for row in opened.manifest["tables"])
    assert not mail.outbox  # the minute's sweep sends it, from another worker
    for _ in range(2):
        tasks.sweep_builds()
    [letter] = mail.outbox
    assert letter.to == ["fay@example.org"]
    assert letter.extra_headers["Auto-Submitted"] == "auto-generated"
    [html] = letter.alternatives
    for part in (letter.body, html.content):
        for said in (f"/datasets/{done.pk}/", "check it against its manifest", "You alone"):
            assert said in part


def test_the_mail_speaks_the_researchers_language(cohort, order):
    with user_scope(cohort.fay):
        choose_language(by=cohort.fay, language="pt-br")
    tasks.build_dataset(order().pk)
    tasks.sweep_builds()
    [letter] = mail.outbox
    assert letter.subject == "O seu conjunto de dados está pronto"
    assert '<html lang="pt-br">' in letter.alternatives[0].content


def test_a_mail_says_that_a_build_failed_save_to_who_cancelled_it(cohort, order):
    dataset = order()
    with user_scope(cohort.fay):
        actions.cancel_dataset(by=cohort.fay, dataset=dataset)
    tasks.sweep_builds()
    assert not mail.outbox
    again = actions.order_build(by=cohort.fay, request=dataset.request)
    with user_scope(cohort.jun):
        actions.cancel_dataset(by=cohort.jun, dataset=again)
    for _ in range(2):
        tasks.sweep_builds()
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["fay@example.org"], "Your dataset could not be built")
    [html] = letter.alternatives
    for part in (letter.body, html.content):
        for said in (f"/datasets/{again.pk}/", "There is no file of", "to have it built again"):
            assert said in part
        assert "ready" not in part


def test_a_mail_that_did_not_go_goes_with_the_next_sweep(cohort, built, monkeypatch):
    def refuse(mail):
        raise ConnectionRefusedError

    built()
    with monkeypatch.context() as broken:
        broken.setattr(mail.EmailMultiAlternatives, "send", refuse)
        tasks.sweep_builds()
    assert Dataset.objects.filter(told_at=None).count() == 1
    tasks.sweep_builds()
    assert len(mail.outbox) == 1


def test_building_twice_changes_nothing(cohort, built):
    opened = built()
    tasks.build_dataset(opened.dataset.pk)
    again = Dataset.objects.get(pk=opened.dataset.pk)
    assert (again.state, again.stored_as) == ("ready", opened.dataset.stored_as)


def test_without_the_release_log_in_nothing_starts(cohort, order, monkeypatch):
    dataset = order()
    monkeypatch.setattr(building, "RELEASE", "nowhere")
    with pytest.raises(actions.ExportError, match="RELEASE_DATABASE_URL"):
        actions.build(dataset_id=dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == "queued"
    assert not transaction.get_connection().in_atomic_block


# -- failures ---------------------------------------------------------------------------------


def failed(dataset):
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.stored_as, dataset.sha256) == ("failed", "", "")
    return dataset.error


def test_a_lost_row_fails_the_build(cohort, order, monkeypatch):
    counted = Delivery.expected_rows

    def one_more(delivery):
        return counted(delivery) | {"ceap": 99}

    monkeypatch.setattr(Delivery, "expected_rows", one_more)
    assert failed(order()) == "ceap: 3 of 99 rows were delivered."
    assert not stored()
    assert owner.rows("SELECT count(*) FROM exports_pseudonym") == [(0,)]


@pytest.mark.parametrize("when", ["while writing", "while storing"])
def test_a_full_disk_fails_the_build(cohort, order, monkeypatch, settings, when):
    def full(*args):
        if when == "while storing":
            path = Path(settings.MEDIA_ROOT, args[1])
            path.parent.mkdir(parents=True)
            path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    if when == "while writing":
        monkeypatch.setattr(writers.CsvWriter, "write", full)
    else:
        monkeypatch.setattr(FileSystemStorage, "save", full)
    assert failed(order()) == "The file could not be written: No space left on device."
    assert not stored()


@pytest.fixture
def many_rows(cohort):
    """The table of CEAP with far more rows than a connection holds, for as long as a block."""

    @contextmanager
    def multiplied():
        [(former,)] = owner.rows("SELECT pg_get_viewdef('release_safe_harbor.ceap'::regclass)")
        put = "CREATE OR REPLACE VIEW release_safe_harbor.ceap WITH (security_barrier) AS "
        with connections["owner"].cursor() as cursor:
            many = f"SELECT v.* FROM ({former.rstrip(';')}) v, generate_series(1, 50000)"
            cursor.execute(put + many)
            yield
            cursor.execute(put + former)

    return multiplied


@pytest.mark.parametrize("writer", ["CsvWriter", "ParquetWriter"])
@pytest.mark.parametrize("problem", ["full", "cancelled"])
def test_a_failure_amid_a_table_ends_the_build_at_once_and_the_next_one_is_whole(
    cohort, order, monkeypatch, many_rows, writer, problem
):
    """PostgreSQL has rows to send still; the builder's session is used again."""
    dataset, tables = order(), []
    init, write = getattr(writers, writer).__init__, getattr(writers, writer).write

    def begin(self, path, table, types):
        tables.append(table.name)
        init(self, path, table, types)

    def stop(self, block, rows):
        if tables[-1] == "ceap" and rows:  # not the header
            if problem == "full":
                raise OSError(28, "No space left on device")
            Dataset.objects.filter(pk=dataset.pk).update(cancelled_by=cohort.fay)
        write(self, block, rows)

    said = []

    def work():
        with many_rows(), monkeypatch.context() as patched:
            patched.setattr(getattr(writers, writer), "__init__", begin)
            patched.setattr(getattr(writers, writer), "write", stop)
            patched.setattr("registry.exports.actions.progress.TOLD_EVERY", 0)
            said.append(failed(dataset))
        said.append(actions.build_now(request=dataset.request).state)
        connections.close_all()

    before = set(threading.enumerate())
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(60)
    reason = "The file could not be written: No space left on device."
    assert said == [reason if problem == "full" else "Fay Okafor cancelled the build.", "ready"]
    assert set(threading.enumerate()) == before


def test_an_error_of_the_database_quotes_no_row(cohort, order):
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP VIEW release_safe_harbor.ceap")
    assert failed(order()) == "The build stopped with an internal error (ProgrammingError)."


def test_no_error_and_no_log_quotes_what_it_met(cohort, order, monkeypatch, caplog):
    """The message of an error may hold a row: of a file, a database, a library."""

    def stumble(*args):
        raise ValueError(f"could not read “{CANARY}”")

    monkeypatch.setattr(writers.ParquetWriter, "write", stumble)
    dataset = order()
    assert failed(dataset) == "The build stopped with an internal error (ValueError)."
    assert f"Dataset {dataset.pk} failed: ValueError" in caplog.text
    assert CANARY not in caplog.text


def test_the_sweep_fails_a_build_whose_builder_died(cohort, order):
    dataset = order()
    left = default_storage.save("datasets/half.zip", ContentFile(b"half"))
    Dataset.objects.filter(pk=dataset.pk).update(state="building", stored_as=left)
    with building._lock(dataset.pk):
        tasks.sweep_builds()
        assert Dataset.objects.get(pk=dataset.pk).state == "building"
    for _ in range(2):
        tasks.sweep_builds()
        dataset.refresh_from_db()
        assert (dataset.state, dataset.error) == ("failed", "The build was interrupted.")
    assert not stored()


def test_a_task_given_again_after_a_death_fails_its_build(cohort, order):
    dataset = order()
    Dataset.objects.filter(pk=dataset.pk).update(state="building")
    assert failed(dataset) == "The build was interrupted."
