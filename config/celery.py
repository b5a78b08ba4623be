"""The Celery app and the whole timetable."""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("saphena")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# One place for what runs when; times are UTC.
app.conf.beat_schedule = {
    "plan and send recalls": {"task": "registry.recall.tasks.tick", "schedule": crontab()},
    # Each night; the later hours take up what a worker that died left unfinished.
    "check everything again": {
        "task": "registry.visits.tasks.recheck_everything",
        "schedule": crontab(minute="0", hour="2-5"),
    },
    "fail builds whose worker died": {
        "task": "registry.exports.tasks.sweep_builds",
        "schedule": crontab(),
        "options": {"queue": "celery"},
    },
    "tell projects what to delete": {
        "task": "registry.exports.tasks.find_deletions",
        "schedule": crontab(minute="20"),
        "options": {"queue": "celery"},
    },
}


@task_prerun.connect
def check_connections(sender: Any, **_about: Any) -> None:
    """As before a request: a database connection that broke or is old is made anew."""
    if not sender.request.is_eager:
        close_old_connections()
