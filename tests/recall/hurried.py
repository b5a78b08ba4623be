"""The app in a hurry, for the workers and beats of the kill tests: seconds instead of minutes."""

from datetime import timedelta

import django

from config.celery import app as app

django.setup()

from registry.recall import models, tasks  # noqa: E402
from registry.recall.actions import claims, sending  # noqa: E402

models.CLAIM_LASTS = claims.CLAIM_LASTS = timedelta(seconds=15)
sending.FACTS_HOLD = timedelta(seconds=5)
sending.SMTP_TIMEOUT = 5
sending.WAITS = (timedelta(seconds=2),) * 30
tasks.EXPIRES = 4
app.conf.beat_schedule = {"tick": {"task": tasks.tick.name, "schedule": 4.0}}
