"""Where a form stands on its page: its anchor, its controls, and the address of either."""

from __future__ import annotations

from django.urls import reverse

from registry.visits.models import FormEntry


def prefix_of(entry: FormEntry) -> str:
    """What the names of an entry's controls begin with: form, leg and occurrence."""
    return "-".join(part for part in (entry.form, entry.limb, entry.occurrence) if part)


def anchor_of(entry: FormEntry) -> str:
    """The anchor of the section in which an entry stands: its form, or its row of a log."""
    return f"form-{entry.form}" if entry.visit_id else f"form-{entry.form}-{entry.occurrence}"


def url_of(entry: FormEntry, item: str = "") -> str:
    """The address of an entry's section, or of the control of ``item`` where the page has it."""
    if entry.visit_id:
        page = reverse("visit", args=[entry.visit_id])
    else:
        page = reverse("log", args=[entry.participant.study_number, entry.form])
    if item and (asked := entry.asked_items.get(item)) and asked.typed:
        return f"{page}#id_{prefix_of(entry)}-{item}"
    return f"{page}#{anchor_of(entry)}"
