"""The controls of items as plain HTML: the names and ids of Django's widgets, without a template.

A visit's page holds some two thousand radios; Django renders each through a template of its own.
Choices that a digit answers show it (``ux.md`` rule 5): ``data-key`` is read by ``entry.js``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms.widgets import ChoiceWidget
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

LAST_KEY = 9  # one press chooses; longer lists have no digits


def attributes(given: Mapping[str, Any]) -> str:
    """``given`` as HTML attributes; True stands alone, False and None are left out."""
    return "".join(
        f" {name}" if value is True else f' {name}="{escape(value)}"'
        for name, value in given.items()
        if value is not None and value is not False
    )


class Box(forms.TextInput):
    """A text box."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        shown = {"type": "text", "name": name, "value": self.format_value(value)}
        return _html(f"<input{attributes(shown | self.attrs | (attrs or {}))}>")


class Area(forms.Textarea):
    """A box of several lines."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        shown = {"name": name} | self.attrs | {"rows": 2} | (attrs or {})
        return _html(
            f"<textarea{attributes(shown)}>\n{escape(self.format_value(value) or '')}</textarea>"
        )


class Tick(forms.CheckboxInput):
    """One box to tick."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        shown: dict[str, Any] = {"type": "checkbox", "name": name}
        shown["value"] = self.format_value(value)
        shown["checked"] = self.check_test(value)
        return _html(f"<input{attributes(shown | self.attrs | (attrs or {}))}>")


class Menu(forms.Select):
    """A list to choose from; typing its first letters finds an answer."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = self.format_value(value)
        options = "".join(
            f'<option value="{escape(code)}"{" selected" if str(code) in chosen else ""}>'
            f"{escape(label)}</option>"
            for code, label in _pairs(self.choices)
        )
        shown = {"name": name} | self.attrs | (attrs or {})
        return _html(f"<select{attributes(shown)}>{options}</select>")


class _Group(ChoiceWidget):
    """Radios or boxes, each inside its label; the group's own id is its fieldset's."""

    keys = True
    marks = ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        given = self.attrs | (attrs or {})
        group = given.pop("id", f"id_{name}")
        chosen = self.format_value(value)
        pairs = list(_pairs(self.choices))
        keyed = self.keys and len(pairs) <= LAST_KEY
        same, quoted = attributes(given), escape(name)
        lines = []
        for index, (code, label) in enumerate(pairs):
            key, word = _key(index, code, label) if keyed else ("", escape(label))
            lines.append(
                f'<label for="{group}_{index}"><input type="{self.input_type}" name="{quoted}"'
                f' value="{escape(code)}" id="{group}_{index}"'
                f"{' checked' if str(code) in chosen else ''}{key}{same}> {word}</label>"
            )
        return _html(f'<div class="answers"{self.marks}>{"".join(lines)}</div>')


class Radios(_Group, forms.RadioSelect):
    """One of a few answers, with nothing preselected."""


class Boxes(_Group, forms.CheckboxSelectMultiple):
    """Several of a few answers."""


class Units(Radios):
    """The unit beside a number."""

    keys = False
    marks = ' translate="no"'


def _html(text: str) -> SafeString:
    """HTML whose every part was escaped above."""
    return mark_safe(text)  # noqa: S308


def _key(index: int, code: Any, label: Any) -> tuple[str, str]:
    """The digit that chooses an answer, and the answer's words with the digit before them.

    A score's digit is its step, which its words begin with.
    """
    step, text = str(code), str(label)
    if text == step and text.isdigit():
        return f' data-key="{step}"', text
    if text.startswith(f"{step} ") and step.isdigit():
        return f' data-key="{step}"', f"<kbd>{step}</kbd> {escape(text[len(step) + 1 :])}"
    digit = index + 1
    return f' data-key="{digit}"', f'<kbd aria-hidden="true">{digit}</kbd> {escape(text)}'


def _pairs(choices: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    return ((code, label) for code, label in choices)
