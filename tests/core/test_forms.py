"""The paper form on screen: what was typed stays, and what is stored is what was meant."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.access.scope import user_scope
from registry.core.dictionary import ABSENCE_CODES, items_of
from registry.core.forms import TYPED_CODES, Clock, ItemsForm
from registry.crfs.models import Ceap, Laboratory, LegHistory, Vcss
from registry.crfs.vcss import SCORES
from registry.visits.crf import FORMS

from .. import build

CLOCK = Clock(today=date(2026, 5, 20), visit_on=date(2026, 5, 11))
LABORATORY = items_of(Laboratory)
VCSS = items_of(Vcss)


def posted(**values):
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def form(items=LABORATORY, **values):
    plain = {"done_on": "v", "sampled_on": "v"} if items is LABORATORY else {}
    return ItemsForm(items, CLOCK, data=posted(**plain | values))


def saved(**values):
    one = form(**values)
    assert one.is_valid(), one.errors
    return one


def test_a_year_is_a_whole_number():
    one = form(items_of(LegHistory), previous_dvt="True", dvt_year="２０１２", done_on="v")
    assert not one.is_valid()  # other answers are owed
    assert one.values["dvt_year"] == 2012
    assert type(one.values["dvt_year"]) is int


# -- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "unit", "value", "sign", "kept"),
    [
        ("2.45", "mmol/L", "2.450", "=", "2.45"),
        ("2,45", "mmol/L", "2.450", "=", "2.45"),
        ("２．４５", "mmol/L", "2.450", "=", "2.45"),
        ("9.8", "mg/dL", "2.445", "=", "9.8"),
        ("<2", "mmol/L", "2.000", "<", "2"),
        ("＞2,5", "mmol/L", "2.500", ">", "2.5"),
        ("1.500", "mmol/L", "1.500", "=", "1.500"),
    ],
)
def test_a_value_is_stored_in_its_unit_beside_what_was_typed(typed, unit, value, sign, kept):
    one = saved(calcium_total=typed, calcium_total__unit=unit, calcium_total__confirm="on")
    assert one.values["calcium_total"] == Decimal(value)
    assert str(one.values["calcium_total"]) == value
    assert one.values["calcium_total_comparator"] == sign
    assert one.values["calcium_total_typed"] == kept
    assert one.values["calcium_total_unit"] == unit


def test_without_a_unit_the_stored_one_is_meant():
    assert saved(calcium_total="2.4").values["calcium_total_unit"] == "mmol/L"


def test_a_value_of_the_other_unit_is_refused_with_a_hint():
    one = form(calcium_total="9.8", calcium_total__unit="mmol/L")
    assert not one.is_valid()
    (message,) = one.errors["calcium_total"]
    assert "9.8 mmol/L is not possible" in message
    assert "9.8 looks like mg/dL" in message
    assert one["calcium_total"].value() == "9.8"


def test_an_unusual_value_is_saved_and_asks_to_be_confirmed():
    one = saved(calcium_total="3.2")
    row = next(row for row in one.rows() if row.name == "calcium_total")
    assert "unusual" in row.warning
    assert row.confirm is not None
    confirmed = saved(calcium_total="3.2", calcium_total__confirm="on")
    assert confirmed.confirmed == {"calcium_total": "3.200"}
    assert confirmed.findings == []


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("calcium_total", "1.5mg"),
        ("calcium_total", "12 345"),
        ("calcium_total", "1.234,5"),
        ("creatinine", "abc"),
        ("sampled_on", "31/02/2026"),
        ("sampled_on", "03/04/2026"),
        ("sampled_on", "0000-01-01"),
        ("bacterial_culture", "maybe"),
        ("calcium_total__unit", "stone"),
        ("crp__absent", "-99"),
        ("calcium_total", "9" * 60),
        ("calcium_total", "2." + "4" * 60),
        ("crp", "9" * 60),
        ("calcium_total", "\x00"),
    ],
)
def test_what_cannot_be_read_is_refused_at_the_item_and_kept(name, typed):
    one = form(**{"albumin": "40", name: typed})
    assert not one.is_valid()
    assert list(one.errors) == [name]
    assert one[name].value() == typed
    assert one["albumin"].value() == "40"
    assert [where for where, _ in one.problems] == [one[name].auto_id]


def test_a_whole_number_takes_no_decimals_and_no_sign():
    items = items_of(FORMS["ulcers"].model)
    plain = {"done_on": "v", "assessed_on": "v", "ulcer_status": "open", "width_mm": "9"}
    plain["extruded_calcium"] = "False"
    assert ItemsForm(items, CLOCK, data=posted(**plain, length_mm="12")).is_valid()
    for typed in ("12.5", "<12"):
        one = ItemsForm(items, CLOCK, data=posted(**plain, length_mm=typed))
        assert list(one.errors) == ["length_mm"]


# -- absence -----------------------------------------------------------------------------------


def test_an_absence_code_is_an_answer():
    one = ItemsForm(LABORATORY, CLOCK, data=posted(done_on="v", sampled_on__absent="unknown"))
    assert one.is_valid(), one.errors
    assert one.absent == {"sampled_on": "unknown"}
    assert one.values["sampled_on"] is None


def test_what_is_required_and_left_open_is_named():
    one = ItemsForm(LABORATORY, CLOCK, data=posted())
    assert set(one.errors) == {"done_on", "sampled_on"}


@given(
    st.sampled_from(["", "2.4", "<1", "abc", "9.8", "1.500"]),
    st.sampled_from(["", *ABSENCE_CODES, "nonsense"]),
    st.sampled_from(["", "mmol/L", "mg/dL"]),
)
def test_a_value_and_its_absence_are_never_both_taken(typed, code, unit):
    one = form(calcium_total=typed, calcium_total__absent=code, calcium_total__unit=unit)
    if one.is_valid():
        assert one.values["calcium_total"] is None or "calcium_total" not in one.absent
        assert (one.values["calcium_total"] is not None) == bool(typed)


ANY = st.sampled_from(["", "v", "2.4", "-99", "open", "True", "3", "2026-05", *TYPED_CODES])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("laboratory", "sampled_on"),
        ("laboratory", "calcium_total"),
        ("laboratory", "crp"),
        ("laboratory", "bacterial_culture"),
        ("vcss", "pain"),
        ("ceap", "symptomatic"),
        ("ceap", "etiology"),
        ("ceap", "clinical"),
        ("ulcers", "pain_nrs"),
    ],
)
@settings(max_examples=30)
@given(sequence=st.lists(st.tuples(ANY, st.sampled_from(["", *ABSENCE_CODES])), max_size=4))
def test_after_any_sequence_an_item_of_any_kind_has_a_value_or_a_code(code, name, sequence):
    """What was typed or pressed last counts; a value beside a code is refused, never kept."""
    items = {name: FORMS[code].items()[name]}
    for typed, absence in sequence:
        one = ItemsForm(items, CLOCK, data=posted(**{name: typed, f"{name}__absent": absence}))
        valid = one.is_valid()
        if typed in TYPED_CODES:
            assert one.absent == {name: TYPED_CODES[typed]}
            assert one.values[name] is None
        if valid:
            assert one.values[name] is None or name not in one.absent
        for companion in ("typed", "unit", "comparator"):
            if one.values.get(name) is None:
                assert one.values.get(f"{name}_{companion}") is None


@pytest.mark.parametrize(
    ("typed", "code"),
    [(".nd", "not_done"), ("．ＮＤ", "not_done"), (" .As ", "not_assessable"), (".rf", "refused")],
)
def test_a_code_is_typed_in_any_items_box(typed, code):
    one = form(crp=typed, crp__absent="unknown")
    assert one.is_valid(), one.errors
    assert one.absent == {"crp": code}
    assert one.raw()["crp"] == [""]
    assert one.raw()["crp__absent"] == [code]


def test_minus_99_is_a_number_and_refused_as_one():
    one = form(crp="-99")
    assert "-99 mg/L is not possible" in one.errors["crp"][0]


def test_an_item_without_absence_takes_no_code():
    assert "cannot be read" in form(done_on=".nd").errors["done_on"][0]


def test_the_rest_fills_only_blanks_and_undoes_as_one():
    one = form(crp="3", albumin__absent="refused", calcium_total="x")
    assert one.fill_rest("not_done") == 7
    again = ItemsForm(LABORATORY, CLOCK, data=one.data)
    raw = again.raw()
    assert (raw["crp"], raw["albumin__absent"], raw["calcium_total"]) == (["3"], ["refused"], ["x"])
    assert raw["pth__absent"] == raw["fungal_culture__absent"] == ["not_done"]
    assert again.undo_rest() == 7
    raw = again.raw()
    assert raw["pth__absent"] == raw["fungal_culture__absent"] == [""]
    assert raw["albumin__absent"] == ["refused"]
    assert again.undo_rest() == 0


def test_the_rest_is_only_what_is_asked():
    items = items_of(FORMS["ulcers"].model)
    one = ItemsForm(items, CLOCK, data=posted(ulcer_status="closed", closure_by="graft"))
    assert one.fill_rest("unknown") == 3  # extruded and palpable calcium, pain; no length or width
    assert "length_mm__absent" not in one.raw()


# -- the other leg -----------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.dictionaries(st.sampled_from(["pain", "oedema", "compression"]), st.sampled_from("0123")),
    st.dictionaries(st.sampled_from(["pain", "oedema", "compression"]), st.sampled_from("0123")),
    st.sets(st.sampled_from(["pain", "oedema", "compression"])),
)
def test_what_is_copied_and_not_confirmed_never_completes(right, left, confirmed):
    names = [*SCORES, "compression"]
    there = dict.fromkeys(names, "1") | right | {"done_on": "v"}
    source = ItemsForm(VCSS, CLOCK, data=posted(**there))
    one = ItemsForm(VCSS, CLOCK, data=posted(done_on="v", **left), copies=True)
    assert one.copy_from(source) == len(names) - len(left)
    data = one.data.copy()
    for name in confirmed:
        data.pop(f"{name}__copied", None)
    judged = ItemsForm(VCSS, CLOCK, data=data, copies=True)
    unconfirmed = set(names) - left.keys() - confirmed
    assert judged.is_valid() == (not unconfirmed)
    assert all(judged.raw()[name] == [value] for name, value in left.items())
    if unconfirmed:
        ((_where, message),) = judged.problems
        assert "Copied from the other leg and not yet confirmed" in message
        assert all(VCSS[name].label in message for name in unconfirmed)


# -- last time ---------------------------------------------------------------------------------


def test_a_number_ten_times_the_last_is_asked_about_until_confirmed():
    last = Laboratory(crp=Decimal("4.2"))
    page = ItemsForm(LABORATORY, CLOCK, data=posted(crp="41"), last=last, last_on=date(2026, 2, 9))
    page.is_valid()
    row = next(row for row in page.rows() if row.name == "crp")
    assert row.warning == (
        "C-reactive protein 41 mg/L is about ten times the last, 4.2 mg/L:"
        " look at the decimal point."
    )
    assert (row.last, page.last_ago) == ("4.2 mg/L", "3 months")
    assert row.field.value() == "41"
    sure = ItemsForm(LABORATORY, CLOCK, data=posted(crp="41", crp__confirm="on"), last=last)
    sure.is_valid()
    assert not any(row.warning for row in sure.rows())


# -- choices and pages -------------------------------------------------------------------------


def ceap(**values):
    plain = {
        "done_on": "v",
        "ceap_version": "2020",
        "clinical": "C4a",
        "symptomatic": "True",
        "etiology": ["Ep"],
        "anatomy": ["As", "GSVa"],
        "pathophysiology": "Pr",
        "investigation_level": "LII",
    }
    return ItemsForm(items_of(Ceap), CLOCK, data=posted(**plain | values))


def test_choices_are_stored_as_codes():
    one = ceap()
    assert one.is_valid(), one.errors
    assert one.values["anatomy"] == ["As", "GSVa"]
    assert one.values["symptomatic"] is True
    assert "clinical_1994" not in one.values


@pytest.mark.parametrize(
    ("name", "typed"), [("anatomy", ["An", "As"]), ("etiology", ["Xx"]), ("clinical", "C7")]
)
def test_choices_that_cannot_be(name, typed):
    assert list(ceap(**{name: typed}).errors) == [name]


@pytest.mark.parametrize("code", FORMS)
def test_nothing_is_preselected_and_no_control_eats_what_is_typed(code):
    page = ItemsForm(FORMS[code].items(), CLOCK)
    for name in page.fields:
        drawn = str(page[name])
        assert 'type="number"' not in drawn
        assert 'type="date"' not in drawn
        if not name.endswith("__unit"):
            assert "checked" not in drawn
        if "<select" in drawn:
            assert page[name].value() in (None, "")
    assert [row.name for row in page.rows()] == [
        name
        for name, item in FORMS[code].items().items()
        if not item.derived and not item.companion_of
    ]


def test_a_record_comes_back_as_it_was_typed(cast):
    visit = build.attended(cast.ana, build.participant(cast.ana))
    first = saved(
        calcium_total="<9.8",
        calcium_total__unit="mg/dL",
        albumin__absent="not_done",
        crp="3.2",
        bacterial_culture="negative",
    )
    build.form(cast.ana, visit, "laboratory", absent=first.absent, **first.values)
    with user_scope(cast.ana):
        record = Laboratory.objects.get()
    shown = ItemsForm(LABORATORY, CLOCK, record=record)
    assert shown["calcium_total"].value() == "<9.8"
    assert shown["calcium_total__unit"].value() == "mg/dL"
    assert shown["crp"].value() == "3.2"
    assert shown["albumin__absent"].value() == "not_done"
    # Saved again untouched, nothing changes.
    again = posted(
        **{
            name: str(shown[name].value())
            for name in shown.fields
            if shown[name].value() not in (None, "", False)
        }
    )
    second = ItemsForm(LABORATORY, CLOCK, data=again, record=record)
    assert second.is_valid(), second.errors
    assert second.absent == first.absent
    assert second.values == first.values


def test_a_draft_keeps_what_was_typed_and_judges_nothing():
    draft = ItemsForm(LABORATORY, CLOCK, data=posted(calcium_total="9,8mg"), draft=True)
    assert [row.errors for row in draft.rows()] == [[]] * len(list(draft.rows()))
    assert list(draft.problems) == []
    assert draft["calcium_total"].value() == "9,8mg"
    assert draft.raw() == {"calcium_total": ["9,8mg"]}


def test_a_draft_judges_nothing_and_marks_nothing_wrong():
    draft = ItemsForm(LABORATORY, CLOCK, data=posted(calcium_total="9,8mg"), draft=True)
    assert "aria-invalid" not in "".join(str(row.field) for row in draft.rows())
    judged = ItemsForm(LABORATORY, CLOCK, data=posted(calcium_total="9,8mg"))
    assert 'aria-invalid="true"' in str(judged["calcium_total"])


@pytest.mark.parametrize(("typed", "day"), [("t", "20"), ("V", "11"), ("－３", "17")])
def test_a_draft_means_the_same_day_tomorrow(typed, day):
    assert form(sampled_on=typed).raw()["sampled_on"] == [f"2026-05-{day}"]


def test_an_unusual_stored_value_stays_asked_about_until_it_is_confirmed():
    record = Laboratory(calcium_total=Decimal("3.2"), calcium_total_typed="3.2")
    record.calcium_total_unit = "mmol/L"
    (row,) = [row for row in ItemsForm(LABORATORY, CLOCK, record=record).rows() if row.confirm]
    assert "unusual" in row.warning
    record.confirmed = {"calcium_total": "3.2"}
    (row,) = [row for row in ItemsForm(LABORATORY, CLOCK, record=record).rows() if row.confirm]
    assert row.warning == ""


def test_the_page_knows_when_an_item_is_asked():
    rows = {row.name: row for row in ItemsForm(FORMS["ulcers"].items(), CLOCK).rows()}
    assert json.loads(rows["length_mm"].when) == {"ulcer_status": ["open"]}
    assert json.loads(rows["area_measured_mm2"].when) == {"area_method": ["planimetry", "photo"]}


def test_a_draft_takes_only_its_own_controls():
    data = posted(**{"right-clinical": "C5", "left-clinical": "C6", "revision": "3"})
    right = ItemsForm(items_of(Ceap), CLOCK, data=data, prefix="right")
    assert right.raw() == {"right-clinical": ["C5"]}
