"""Mails about datasets."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from ..models import Dataset, DatasetProject

log = logging.getLogger(__name__)


def say_ready(dataset: Dataset) -> None:
    """Tell the researcher by mail. A mail that cannot be sent changes nothing in the dataset."""
    project = dataset.request.project
    with translation.override(project.researcher.language):
        _send(project, "dataset_ready", _("Your dataset is ready"), "dataset", dataset.pk)


def say_deletions(project: DatasetProject, number: int) -> bool:
    """Tell the researcher by mail how many more participants to delete; whether it was sent."""
    with translation.override(project.researcher.language):
        subject = _("Data to be deleted from your copies")
        return _send(project, "deletions", subject, "dataset_deletions", project.pk, number=number)


def _send(
    project: DatasetProject, name: str, subject: str, page: str, key: int, **about: int
) -> bool:
    """Send the mail ``name`` with a link to a page, in the language that is set."""
    letter = {
        "language": project.researcher.language,
        "subject": subject,
        "title": project.title,
        "link": settings.SITE_URL + reverse(page, args=[key]),
        **about,
    }
    text, html = (
        render_to_string(f"emails/{name}.{part}", {"letter": letter}) for part in ("txt", "html")
    )
    mail = EmailMultiAlternatives(
        subject,
        text,
        to=[project.researcher.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(html, "text/html")
    try:
        mail.send()
    except OSError:
        log.exception("No mail “%s” about %s", name, letter["link"])
        return False
    return True
