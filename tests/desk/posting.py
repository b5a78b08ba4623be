"""Sending a section as the page does: with what the page was made from."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from django.urls import reverse


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
            for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', section)
        }
        self.holds: dict[str, Any] = json.loads(self.hidden["base"])

    def send(self, action: str = "draft", script: bool = False, **more: Any) -> Any:
        headers = {"Accept": "application/json", "Saphena-Active": "1"} if script else {}
        data = self.hidden | self.holds | {"action": action} | more
        return self.client.post(self.url, data, headers=headers)
