"""Mails about datasets."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from ..models import Dataset

log = logging.getLogger(__name__)


def say_ready(dataset: Dataset) -> None:
    """Tell the researcher by mail. A mail that cannot be sent changes nothing in the dataset."""
    project = dataset.request.project
    language = project.researcher.language
    with translation.override(language):
        letter = {
            "language": language,
            "subject": _("Your dataset is ready"),
            "title": project.title,
            "link": settings.SITE_URL + reverse("dataset", args=[dataset.pk]),
        }
        text, html = (
            render_to_string(f"emails/dataset_ready.{part}", {"letter": letter})
            for part in ("txt", "html")
        )
    mail = EmailMultiAlternatives(
        letter["subject"],
        text,
        to=[project.researcher.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(html, "text/html")
    try:
        mail.send()
    except OSError:
        log.exception("No mail about dataset %s", dataset.pk)
