"""Mails about datasets: they say that something is there, never what is in it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.access.models import User

from ..models import Dataset, DatasetProject, SiteCopy

log = logging.getLogger(__name__)


def tell_ended() -> None:
    """Tell researchers by mail that a build is ready or has failed, once each; runs each minute.

    Who cancelled a build himself is not told. Not from the builder: links know every page, and with
    them every library of the registry. A mail that cannot be sent is tried again by the next run.
    """
    untold = (
        Dataset.objects.exclude(state__in=Dataset.UNFINISHED)
        .filter(told_at=None)
        .exclude(cancelled_by=F("request__project__researcher"))
    )
    for number in list(untold.values_list("pk", flat=True)):
        with transaction.atomic():
            # Another run that tells it holds it; a death after the mail sends it once more.
            held = untold.filter(pk=number).select_for_update(of=("self",), skip_locked=True)
            dataset = held.first()
            if dataset and _say_ended(dataset):
                Dataset.objects.filter(pk=number).update(told_at=timezone.now())


def _say_ended(dataset: Dataset) -> bool:
    project, link = dataset.request.project, reverse("dataset", args=[dataset.pk])
    with translation.override(project.researcher.language):
        if dataset.state == Dataset.State.READY:
            name, subject = "dataset_ready", _("Your dataset is ready")
        else:
            name, subject = "dataset_failed", _("Your dataset could not be built")
        return _send(project.researcher, name, subject, link, title=project.title)


def say_deletions(project: DatasetProject, number: int) -> bool:
    """Tell the researcher by mail how many more participants to delete; whether it was sent."""
    with translation.override(project.researcher.language):
        subject = _("Data to be deleted from your copies")
        link = reverse("dataset_deletions", args=[project.pk])
        return _send(
            project.researcher, "deletions", subject, link, title=project.title, number=number
        )


def say_copy_ready(copy: SiteCopy) -> None:
    """Tell who asked for the copy by mail, which says neither whose data they are nor any."""
    with translation.override(copy.asked_by.language):
        subject = _("Your copy is ready")
        link = reverse("site_copy", args=[copy.site.prefix, copy.pk])
        _send(copy.asked_by, "site_copy_ready", subject, link)


def _send(to: User, name: str, subject: str, link: str, **about: str | int) -> bool:
    """Send the mail ``name`` in the language that is set; whether it went."""
    letter = {"language": to.language, "subject": subject, "link": settings.SITE_URL + link}
    text, html = (
        render_to_string(f"emails/{name}.{part}", {"letter": letter | about})
        for part in ("txt", "html")
    )
    mail = EmailMultiAlternatives(
        subject, text, to=[to.email], headers={"Auto-Submitted": "auto-generated"}
    )
    mail.attach_alternative(html, "text/html")
    try:
        mail.send()
    except OSError:
        log.exception("No mail “%s” about %s", name, link)
        return False
    return True
