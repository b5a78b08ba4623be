"""The declaration: what one line makes of a column, and what the database then refuses."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, models, transaction

from registry.access.scope import user_scope
from registry.core import dictionary as d
from registry.core.dictionary import Kind, Privacy, declared_models, items_of
from registry.crfs.models import Ceap, Laboratory, Vcss
from registry.participants.models import Participant
from registry.ulcers.models import Ulcer

from .. import build


@pytest.mark.parametrize(
    ("column", "kind", "privacy", "stock"),
    [
        (d.date("x"), Kind.DATE, "date", models.DateField),
        (d.partial_date("x"), Kind.PARTIAL_DATE, "date", models.CharField),
        (d.year("x"), Kind.YEAR, "date", models.SmallIntegerField),
        (d.number("x", possible=(0, 1)), Kind.NUMBER, "release", models.DecimalField),
        (d.score("x", ["none", "much"]), Kind.SCORE, "release", models.SmallIntegerField),
        (d.choice("x", ["a"]), Kind.CHOICE, "release", models.CharField),
        (d.yes_no("x"), Kind.YES_NO, "release", models.BooleanField),
        (d.text("x"), Kind.TEXT, "withhold", models.TextField),
        (d.file("x", upload_to="x"), Kind.FILE, "withhold", models.FileField),
        (d.kept(models.TextField(), "group"), Kind.KEPT, "group", models.TextField),
    ],
)
def test_each_function_gives_a_stock_field_and_its_privacy(column, kind, privacy, stock):
    assert type(column) is stock
    assert (column.item.kind, column.item.privacy) == (kind, Privacy(privacy))


def test_choices_are_codes_or_pairs_in_order():
    item = d.choice("x", ["not_seen", ("b", "B of course"), 3]).item
    assert item.choices == (("not_seen", "not seen"), ("b", "B of course"), ("3", "3"))
    assert item.choice_label("b") == "B of course"


@pytest.mark.parametrize(
    ("when", "values", "asked"),
    [
        ({}, {}, True),
        ({"arm": "cvi"}, {"arm": "cvi"}, True),
        ({"arm": "cvi"}, {"arm": "control"}, False),
        ({"arm": "cvi"}, {}, False),
        ({"method": ("photo", "planimetry")}, {"method": "photo"}, True),
        ({"method": ("photo", "planimetry")}, {"method": "ruler"}, False),
        ({"views": "ap"}, {"views": ["ap", "lateral"]}, True),
        ({"views": "pa"}, {"views": ["ap", "lateral"]}, False),
        ({"done": True, "arm": "cvi"}, {"done": True, "arm": "control"}, False),
    ],
)
def test_when_an_item_is_asked(when, values, asked):
    assert d.yes_no("x", when=when).item.asked(values) is asked


def test_a_laboratory_value_has_its_companions():
    items = items_of(Laboratory)
    beside = {name: item for name, item in items.items() if item.companion_of == "calcium_total"}
    assert list(beside) == [
        f"calcium_total_{end}" for end in ("typed", "unit", "comparator", "ref_low", "ref_high")
    ]
    assert [code for code, _ in beside["calcium_total_unit"].choices] == ["mmol/L", "mg/dL"]
    # One unit only: nothing to convert, so nothing typed to keep.
    assert "crp_typed" not in items
    assert "crp_comparator" in items


def test_every_record_is_declared_once_under_a_code_of_its_own():
    codes = [model.declaration.code for model in declared_models()]
    assert len(codes) == len(set(codes))
    assert {"participant", "ceap", "vcss", "laboratory", "ulcer", "ulcers"} <= set(codes)


def test_every_limit_is_a_constraint_of_the_table():
    def limited(item):
        listed = item.kind in (Kind.CHOICE, Kind.MULTI, Kind.PARTIAL_DATE)
        return not item.derived and (listed or item.possible is not None)

    for model in declared_models():
        code = model.declaration.code
        names = {one.name for one in model._meta.constraints}
        wanted = {
            f"{code}_{name}_possible" for name, item in items_of(model).items() if limited(item)
        }
        assert wanted <= names, model


# -- what the database says --------------------------------------------------------------------


@pytest.fixture
def filled(cast):
    """A visit of Tokyo with CEAP, VCSS and laboratory, inside Ana's scope."""
    visit = build.attended(cast.ana, build.participant(cast.ana))
    build.form(cast.ana, visit, "ceap", "right")
    build.form(cast.ana, visit, "vcss", "right")
    build.form(cast.ana, visit, "laboratory")
    with user_scope(cast.ana):
        Ulcer.objects.create(
            participant=visit.participant,
            limb="right",
            label="R1",
            location=["foot"],
            onset_on="2025",
            ulcer_cause="venous",
            recorded_on=visit.attended_on,
            by=cast.ana,
        )
        yield visit


@pytest.mark.parametrize(
    ("model", "values", "constraint"),
    [
        (Laboratory, {"calcium_total": "0.499"}, "laboratory_calcium_total_possible"),
        (Laboratory, {"calcium_total": "6.001"}, "laboratory_calcium_total_possible"),
        (Laboratory, {"calcium_total_unit": "mg/L"}, "laboratory_calcium_total_unit_possible"),
        (Laboratory, {"crp_comparator": "≤"}, "laboratory_crp_comparator_possible"),
        (Laboratory, {"bacterial_culture": "maybe"}, "laboratory_bacterial_culture_possible"),
        (
            Laboratory,
            {"crp": "3", "absent": {"crp": "not_done"}},
            "laboratory_value_or_absence",
        ),
        (Vcss, {"pain": 4}, "vcss_pain_possible"),
        (Vcss, {"pain": -1}, "vcss_pain_possible"),
        (Ceap, {"clinical": "C7"}, "ceap_clinical_possible"),
        (Ceap, {"anatomy": []}, "ceap_anatomy_possible"),
        (Ceap, {"anatomy": ["As", "Xx"]}, "ceap_anatomy_possible"),
        (Ceap, {"absent": {"clinical": "unknown"}}, "ceap_value_or_absence"),
        (Participant, {"onset_year": 1899}, "participant_onset_year_possible"),
        (Participant, {"onset_month": 13}, "participant_onset_month_possible"),
        (Ulcer, {"onset_on": "2025-13"}, "ulcer_onset_on_possible"),
        (Ulcer, {"onset_on": "2025-5"}, "ulcer_onset_on_possible"),
        (Ulcer, {"onset_on": "05.2025"}, "ulcer_onset_on_possible"),
    ],
)
def test_the_database_refuses_what_is_impossible(filled, model, values, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.update(**values)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Laboratory, {"calcium_total": "0.5"}),
        (Laboratory, {"calcium_total": "6", "absent": {"crp": "not_done"}}),
        (Laboratory, {"calcium_total": None, "absent": {"calcium_total": "refused"}}),
        (Vcss, {"pain": 3}),
        (Ceap, {"clinical": None, "absent": {"clinical": "not_assessable"}}),
        (Ceap, {"anatomy": ["Ad", "POPV", "PTV"]}),
        (Ulcer, {"onset_on": "2025-12-31"}),
        (Participant, {"onset_year": None}),
    ],
)
def test_the_database_takes_what_is_possible(filled, model, values):
    assert model.objects.update(**values) == 1


@pytest.mark.parametrize(
    ("clinical", "old"),
    [
        *((f"C{number}", number) for number in range(7)),
        *(("C2r", 2), ("C4a", 4), ("C4b", 4), ("C4c", 4), ("C6r", 6), (None, None)),
    ],
)
def test_the_class_of_1994_follows_from_the_class(filled, clinical, old):
    Ceap.objects.update(clinical=clinical)
    assert Ceap.objects.get().clinical_1994 == old


def test_totals_are_whole_or_not_there(filled):
    Vcss.objects.update(pain=3, compression=2)
    scores = Vcss.objects.get()
    assert (scores.total, scores.total_without_compression) == (5, 3)
    Vcss.objects.update(pain=None, absent={"pain": "unknown"})
    assert Vcss.objects.get().total is None


@pytest.mark.parametrize(
    ("calcium", "albumin", "sign", "corrected"),
    [
        ("2.100", "30", "=", "2.300"),
        ("2.400", "40", "=", "2.400"),
        ("2.400", "50", "=", "2.200"),
        ("2.400", "50", "<", None),
        ("2.400", None, None, None),
    ],
)
def test_calcium_is_corrected_only_from_exact_values(filled, calcium, albumin, sign, corrected):
    Laboratory.objects.update(
        calcium_total=calcium,
        calcium_total_comparator="=",
        albumin=albumin,
        albumin_comparator=sign,
    )
    found = Laboratory.objects.get().calcium_corrected
    assert found == (corrected and Decimal(corrected))
