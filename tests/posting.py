"""Sending a section as the page does: with what the page was made from."""

from __future__ import annotations

import html
import json
import re
from types import SimpleNamespace
from typing import Any

from django.urls import reverse

from registry.participants.guard import page_token
from registry.visits.models import FormEntry


def made_for(client: Any, participant: Any) -> dict[str, str]:
    """What every form of a participant's page carries for whoever is signed in."""
    user: Any = SimpleNamespace(pk=int(client.session["_auth_user_id"]))
    return {"page": page_token(user, participant)}


def showing(**which: Any) -> dict[str, int]:
    """What a page carries that shows these entries as they are now."""
    return {f"revision-{one.pk}": one.revision for one in FormEntry.objects.filter(**which)}


class Page:
    """A section's form as a browser got it: what it holds and its hidden fields."""

    def __init__(self, client: Any, visit: Any, form: str, url: str = "") -> None:
        self.client = client
        text = client.get(reverse("visit", args=[visit.pk])).content.decode() if not url else ""
        self.read(text or client.get(url).content.decode(), form)
        self.url = url or reverse("visit_form", args=[visit.pk, form])

    def read(self, text: str, form: str) -> None:
        section = text.split(f'id="form-{form}"')[1].split("</section>")[0]
        self.hidden = {
            name: html.unescape(value)
            for name, value in re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', section)
        }
        self.holds: dict[str, Any] = json.loads(self.hidden["base"])

    def send(self, action: str = "draft", script: bool = False, **more: Any) -> Any:
        headers = {"Accept": "application/json", "Saphena-Active": "1"} if script else {}
        data = self.hidden | self.holds | {"action": action} | more
        return self.client.post(self.url, data, headers=headers)
