"""Mails that something is ready."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from registry.access.models import User

from ..models import Dataset, SiteCopy

log = logging.getLogger(__name__)


def say_ready(dataset: Dataset) -> None:
    """Tell the researcher by mail. A mail that cannot be sent changes nothing in the dataset."""
    project = dataset.request.project
    with translation.override(project.researcher.language):
        letter = {
            "subject": _("Your dataset is ready"),
            "title": project.title,
            "link": settings.SITE_URL + reverse("dataset", args=[dataset.pk]),
        }
        _send(project.researcher, "dataset_ready", letter)


def say_copy_ready(copy: SiteCopy) -> None:
    """Tell who asked for the copy by mail, which says neither whose data they are nor any."""
    with translation.override(copy.asked_by.language):
        letter = {
            "subject": _("Your copy is ready"),
            "link": settings.SITE_URL + reverse("site_copy", args=[copy.site.prefix, copy.pk]),
        }
        _send(copy.asked_by, "site_copy_ready", letter)


def _send(to: User, template: str, letter: dict[str, str]) -> None:
    letter = {"language": to.language} | letter
    text, html = (
        render_to_string(f"emails/{template}.{part}", {"letter": letter})
        for part in ("txt", "html")
    )
    mail = EmailMultiAlternatives(
        letter["subject"], text, to=[to.email], headers={"Auto-Submitted": "auto-generated"}
    )
    mail.attach_alternative(html, "text/html")
    try:
        mail.send()
    except OSError:
        log.exception("No mail: %s", letter["link"])
