"""A builder killed at any phase leaves no dataset that looks whole; a retry starts clean."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connections

from registry.exports import actions, tasks
from registry.exports.models import Dataset
from registry.exports.verification import problems

pytestmark = pytest.mark.slow

# Dies by SIGKILL when it comes to a phase: as PostgreSQL, the kernel or an operator would do it.
BUILDER = """
import os, signal, sys
import django
django.setup()
from django.core.files.storage import FileSystemStorage
from registry.exports.actions import building
from registry.exports.archive import Delivery
from tests import databases

name, media, dataset, phase = sys.argv[1:]
databases.use(name)
FileSystemStorage.base_location = FileSystemStorage.location = media

def dying(function):
    def at_once(*args, **kwargs):
        result = function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        return result
    return at_once

def when(stage, function):
    def told(one, now, *rows):
        function(one, now, *rows)
        if now == stage:
            os.kill(os.getpid(), signal.SIGKILL)
    return told

match phase:
    case "counted":
        Delivery.expected_rows = dying(Delivery.expected_rows)
    case "written":
        Delivery.write = dying(Delivery.write)
    case "packed":
        building.pack = dying(building.pack)
    case "saved":
        FileSystemStorage.save = dying(FileSystemStorage.save)
    case stage:
        building._progress = when(stage, building._progress)
building.build(dataset_id=int(dataset))
"""
PHASES = ["counting", "counted", "ceap", "absence_codes", "written", "storing", "packed", "saved"]


def stored():
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def swept(dataset):
    """The dataset once the lock of its builder is free: the server has to notice the death."""
    for _ in range(100):
        tasks.sweep_builds()
        dataset.refresh_from_db()
        if not dataset.unfinished:
            break
        time.sleep(0.1)
    return dataset


@pytest.mark.parametrize("phase", PHASES)
def test_killed_at(cohort, order, settings, phase):
    dataset = order()
    name = connections["default"].settings_dict["NAME"]
    command = [
        sys.executable,
        "-c",
        BUILDER,
        name,
        str(settings.MEDIA_ROOT),
        str(dataset.pk),
        phase,
    ]
    done = subprocess.run(
        command,
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    dataset.refresh_from_db()
    assert dataset.state == "building"
    with pytest.raises(actions.ExportError, match="not ready"):
        actions.download(by=cohort.fay, dataset=dataset)
    swept(dataset)
    assert (dataset.state, dataset.error) == ("failed", "The build was interrupted.")
    assert (dataset.sha256, dataset.manifest) == ("", {})
    assert stored() == []
    again = actions.build_now(request=dataset.request)
    assert again.state == "ready", again.error
    assert list(problems(Path(default_storage.path(again.stored_as)))) == []
    assert len(stored()) == Dataset.objects.filter(state="ready").count() == 1
