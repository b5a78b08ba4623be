"""Pages need no script, style or asset of another host, and no control that eats what is typed."""

import re
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.utils.module_loading import import_module

ROOT = Path(settings.BASE_DIR)
# Mail programs need style attributes and whole addresses.
PAGES = [
    path
    for folder in ("templates", "registry")
    for path in sorted((ROOT / folder).rglob("*.html"))
    if "emails" not in path.parts
]
STYLES = sorted((ROOT / "static").rglob("*.css"))
SCRIPTS = sorted((ROOT / "static").rglob("*.js"))

FAULTS = {
    "type=number turns 1,5 into 15 (ux.md rule 14)": r"""type\s*=\s*["']?number""",
    "type=date drops partial dates (rule 9)": r"""type\s*=\s*["']?(date|datetime-local|month)\b""",
    "an inline script": r"<script(?![^>]*\ssrc=)[^>]*>",
    "an inline style": r"<style\b|\sstyle\s*=",
    "an inline handler": r"\son[a-z]+\s*=",
    "a javascript: address": r"javascript:",
    "an asset of another host": (
        r"""<(script|img|iframe|source|video|audio|use|object|embed)\b[^>]*?(src|href|data)\s*="""
        r"""\s*["']?(https?:)?//|<link\b[^>]*href\s*=\s*["']?(https?:)?//"""
    ),
}
STYLE_FAULTS = {"an asset of another host": r"""url\(\s*["']?(https?:)?//|@import"""}
SCRIPT_FAULTS = {
    "an asset of another host": r"""["'`](https?:)?//[a-z]""",
    "code from text": r"\beval\(|new Function\(",
    "clinical data kept in the browser": r"localStorage|sessionStorage|indexedDB",
}


def faults(text, kinds):
    """What is wrong with a file's text; template comments and logic do not count."""
    plain = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}|<!--.*?-->", "", text, flags=re.S)
    plain = re.sub(r"{%.*?%}|{{.*?}}", "x", plain, flags=re.S)
    return [name for name, shape in kinds.items() if re.search(shape, plain, re.I | re.S)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages(path):
    assert faults(path.read_text(), FAULTS) == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_styles(path):
    assert faults(path.read_text(), STYLE_FAULTS) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts(path):
    assert faults(path.read_text(), SCRIPT_FAULTS) == []


@pytest.mark.parametrize(
    "text",
    [
        '<input type="number">',
        "<input type=number>",
        "<input name=x TYPE = 'date'>",
        "<script>alert(1)</script>",
        '<script type="module">1</script>',
        '<p style="color: red">',
        "<style>p {}</style>",
        '<a onclick="go()">',
        '<a href="javascript:go()">',
        '<script src="https://cdn.example.org/x.js"></script>',
        '<script src="//cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example.org/x.css">',
        '<img alt="" src="http://example.org/x.png">',
    ],
)
def test_a_fault_would_be_found(text):
    assert faults(f"<main>\n{text}\n</main>", FAULTS)


def test_what_is_right_is_no_fault():
    text = """<script src="{% static 'saphena.js' %}" defer></script>
    <link rel="stylesheet" href="{% static 'saphena.css' %}"><input type="text" inputmode="decimal">
    <a href="https://doi.org/10.1111/x">Tokoro 2009</a> {# style="x" #} <p class="once on-top">"""
    assert faults(text, FAULTS) == []
    assert faults("a { background: url(https://x.org/y.png) }", STYLE_FAULTS)
    assert faults("fetch('https://x.org')", SCRIPT_FAULTS)


# -- forms written in Python -------------------------------------------------------------------


def form_classes(base=forms.BaseForm):
    for one in base.__subclasses__():
        yield one
        yield from form_classes(one)


def eats_input(widget):
    return getattr(widget, "input_type", "") in ("number", "date")


def test_no_form_has_a_control_that_eats_what_is_typed():
    for path in sorted((ROOT / "registry").rglob("forms*.py")):
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert {
        f"{form.__module__}.{form.__name__}.{name}"
        for form in form_classes()
        if form.__module__.startswith("registry.")
        for name, field in form.base_fields.items()
        if eats_input(field.widget)
    } == set()


def test_such_a_control_would_be_found():
    assert eats_input(forms.IntegerField().widget)
    assert eats_input(forms.DateField(widget=forms.DateInput(attrs={"type": "date"})).widget)
    assert not eats_input(forms.CharField().widget)
