"""Messages name what was entered and what to do (``ux.md`` rule 31)."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
GETTEXT = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext"}
BLAMES = re.compile(
    r"\binvalid\b|enter a valid|incorrect|wrong format|bad value|illegal|this field", re.I
)
TRANSLATED = re.compile(
    r"""{%\s*trans(?:late)?\s+(["'])(?P<one>.*?)\1|{%\s*blocktrans.*?%}(?P<block>.*?){%\s*end""",
    re.S,
)


def messages_in(source):
    """Every text of a Python source that is shown to people."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in GETTEXT:
            yield from (
                one.value
                for one in node.args
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )


def messages_on(template):
    return [found["one"] or found["block"] or "" for found in TRANSLATED.finditer(template)]


def texts():
    for path in sorted((ROOT / "registry").rglob("*.py")):
        yield from ((path.name, text) for text in messages_in(path.read_text()))
    for path in sorted((ROOT / "templates").rglob("*.html")):
        yield from ((path.name, text) for text in messages_on(path.read_text()))


def test_no_message_blames_without_saying_what_to_do():
    assert [(where, text) for where, text in texts() if BLAMES.search(text)] == []


@pytest.mark.parametrize(
    "text", ["Invalid date.", "Incorrect format", "This field is required.", "Enter a valid number"]
)
def test_such_a_message_would_be_found(text):
    assert BLAMES.search(next(messages_in(f"_({text!r})")))
    assert BLAMES.search(messages_on('{% translate "' + text + '" %}')[0])
    assert BLAMES.search(messages_on("{% blocktranslate %}" + text + "{% endblocktranslate %}")[0])
