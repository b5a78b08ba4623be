"""A builder killed at any phase leaves nothing that looks whole; a retry starts clean."""

from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from registry.access.scope import user_scope
from registry.audit.models import Look
from registry.exports import actions, tasks
from registry.exports.models import Dataset
from registry.exports.verification import problems

from .. import build
from .conftest import stored
from .dying import kill, sweep_until
from .own import PERSON, SECRETS, ZIP, copies, fresh, with_files

SAVE = "django.core.files.storage.FileSystemStorage.save"
PROGRESS = "registry.exports.actions.building._progress"
# Phase → the function after which the builder dies, and what that was given.
OF_A_DATASET = {
    "counting": (PROGRESS, "counting"),
    "counted": ("registry.exports.archive.Delivery.expected_rows", ""),
    "ceap": (PROGRESS, "ceap"),
    "absence_codes": (PROGRESS, "absence_codes"),
    "made": (PROGRESS, "stata:vcss"),
    "made last": (PROGRESS, "xpt:absence_codes"),
    "written": ("registry.exports.archive.Delivery.write", ""),
    "storing": (PROGRESS, "storing"),
    "packed": ("registry.exports.actions.building.pack", ""),
    "saved": (SAVE, ""),
}


@pytest.mark.parametrize("phase", OF_A_DATASET)
def test_killed_at(cohort, order, tmp_path, phase):
    dataset, (after, given) = order(formats=["csv", "stata", "xpt"]), OF_A_DATASET[phase]
    kill(tasks.build_dataset, dataset.pk, after=after, given=given, scratch=tmp_path)
    dataset.refresh_from_db()
    assert dataset.state == "building"
    with pytest.raises(actions.ExportError, match="not ready"):
        actions.download(by=cohort.fay, dataset=dataset)

    def found():
        dataset.refresh_from_db()
        return not dataset.unfinished

    sweep_until(found)
    assert (dataset.state, dataset.error) == ("failed", "The build was interrupted.")
    assert (dataset.sha256, dataset.manifest) == ("", {})
    assert stored() == []
    again = actions.build_now(request=dataset.request)
    assert again.state == "ready", again.error
    assert list(problems(Path(default_storage.path(again.stored_as)))) == []
    assert len(stored()) == Dataset.objects.filter(state="ready").count() == 1


ENTRY = "registry.exports.own.package._Entries.add"
# Before all of it is written, and after.
NOT_WRITTEN = {
    "identities written": (ENTRY, "identities.csv"),
    "forms written": (ENTRY, "vcss.csv"),
    "look noted": ("registry.exports.own.package.log_look", ""),
    "film added": (ENTRY, "files/*/film-[0-9]*"),
    "attachment added": (ENTRY, "files/*/file-*"),
    "manifest written": (ENTRY, "manifest.json"),
}
WRITTEN = {
    "sealed": ("registry.core.sealed_file.SealedWriter.close", ""),
    "storing": ("registry.exports.actions.copying._note", "storing"),
    "half stored": ("django.core.files.locks.lock", ""),
    "stored": (SAVE, ""),
}
OF_A_COPY = NOT_WRITTEN | WRITTEN


@pytest.mark.parametrize("phase", OF_A_COPY)
def test_a_copy_killed_at(cohort, ask, take, tmp_path, phase):
    build.participant(cohort.ana, person=build.person(**PERSON))
    read = with_files(cohort)
    copy, scratch = ask(), tmp_path / "scratch"
    scratch.mkdir()
    after, given = OF_A_COPY[phase]
    site = cohort.tokyo.pk
    kill(tasks.build_site_copy, site, copy.pk, after=after, given=given, scratch=scratch)
    # Until it is found: nothing to fetch, no key to what lies there, nothing in the clear.
    assert (fresh(copy).state, copy.wrapped_key) == ("building", None)
    with user_scope(cohort.hiro), pytest.raises(actions.ExportError, match="or not yet"):
        actions.open_copy(by=cohort.hiro, copy=copy)
    assert list(scratch.rglob("*")) == []
    assert len(copies()) == (phase in ("half stored", "stored"))
    for path in copies():
        assert not [one for one in (*SECRETS, ZIP) if one in path.read_bytes()]
    sweep_until(lambda: fresh(copy).state != "building")
    assert (copy.state, copy.error) == ("failed", "The build was interrupted.")
    assert (copy.stored_as, copy.wrapped_key, copy.manifest) == ("", None, {})
    assert copies() == []
    # Logged is what was read, once all of it was.
    with user_scope(cohort.hiro):
        looks = set(Look.objects.filter(by=cohort.hiro).values_list("label", "what"))
    labels = {"participants.identity", *(one._meta.label_lower for one in read)}
    assert looks == (
        {(one, "copy of the site's data") for one in labels} if phase in WRITTEN else set()
    )
    take()
    assert len(copies()) == 1
