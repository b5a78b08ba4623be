"""Controls written as plain HTML say what Django's widgets say, and cost a fraction."""

from html.parser import HTMLParser
from time import perf_counter

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st

from registry.core import controls

CHOICES = [("a", "first"), ("b&", "<second>"), ('"c"', "third")]
SCORES = [(str(step), f"{step} anchor") for step in range(4)]
PAIRS = [
    (forms.TextInput, controls.Box, {}),
    (forms.Textarea, controls.Area, {}),
    (forms.CheckboxInput, controls.Tick, {}),
    (forms.Select, controls.Menu, {"choices": CHOICES}),
    (forms.RadioSelect, controls.Radios, {"choices": CHOICES}),
    (forms.RadioSelect, controls.Units, {"choices": CHOICES}),
    (forms.CheckboxSelectMultiple, controls.Boxes, {"choices": CHOICES}),
]
SHOWN = ("type", "name", "value", "id", "for", "checked", "selected", "inputmode", "aria-invalid")


class Controls(HTMLParser):
    """The controls of a piece of HTML with what a browser would post and a label find."""

    def __init__(self, html):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag in ("input", "select", "option", "textarea", "label"):
            given = {name: "" if value is None else value for name, value in attrs}
            self.found.append((tag, {name: given[name] for name in SHOWN if name in given}))

    def handle_data(self, data):
        self.texts += data.split()


@pytest.mark.parametrize(("stock", "own", "options"), PAIRS)
@given(
    value=st.one_of(st.none(), st.text(max_size=8), st.sampled_from([one for one, _ in CHOICES]))
)
def test_names_values_and_ids_are_those_of_the_stock_widgets(stock, own, options, value):
    if stock is forms.CheckboxSelectMultiple:
        value = [value] if value else None
    attrs = {"id": "id_right-x", "aria-invalid": "true"}
    theirs, ours = (
        Controls(widget(attrs={"inputmode": "decimal"}, **options).render("right-x", value, attrs))
        for widget in (stock, own)
    )
    assert ours.found == theirs.found
    digits = ("1", "2", "3") if options else ()
    assert [text for text in ours.texts if text not in digits] == theirs.texts


def test_what_is_typed_cannot_leave_its_attribute():
    drawn = str(controls.Box().render("x", '"><script>', {"id": "id_x"}))
    assert "<script>" not in drawn
    assert "<script>" not in str(controls.Area().render("x", "</textarea><script>", {}))


def test_the_digit_of_a_score_is_its_step_and_of_a_choice_its_place():
    def keys(choices):
        drawn = str(controls.Radios(choices=choices).render("x", None, {"id": "id_x"}))
        return [part.split('"')[0] for part in drawn.split('data-key="')[1:]]

    assert keys(SCORES) == ["0", "1", "2", "3"]
    assert keys([(str(step), str(step)) for step in range(3)]) == ["0", "1", "2"]
    assert keys(CHOICES) == ["1", "2", "3"]
    assert keys([(str(n), f"choice {n}") for n in range(10)]) == []


def test_a_group_of_radios_costs_a_third_at_most():
    def cost(widget):
        started = perf_counter()
        for _ in range(40):
            widget.render("vcss-right-pain", "1", {"id": "id_vcss-right-pain"})
        return perf_counter() - started

    stock, own = forms.RadioSelect(choices=SCORES), controls.Radios(choices=SCORES)
    assert 3 * min(cost(own) for _ in range(3)) < min(cost(stock) for _ in range(3))
