"""The reconstruction of Tokoro 2009, entered as records, gives the paper's numbers back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.audit.models import Change
from registry.crfs.models import Ceap
from registry.imaging.models import Reading
from registry.participants.models import Consent, Participant
from registry.quality.models import DataQuery
from registry.reports.cases import baseline_cases
from registry.reports.tokoro import Report, report
from registry.simulation import tokoro
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.models import Visit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    """The reconstruction, entered once for all tests here and then taken back."""
    with django_db_blocker.unblock(), transaction.atomic():
        assert tokoro.load() == 40
        site = Site.objects.get(prefix="TOK")
        with scope(User.objects.system("import"), [site.pk]):
            yield site
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def found(loaded) -> Report:
    return report(baseline_cases(Participant.objects.filter(site=loaded)))


def test_table_one(found):
    calcified, rest = found.calcified, found.not_calcified
    assert (calcified.n, calcified.male, calcified.female) == (13, 6, 7)
    assert (rest.n, rest.male, rest.female) == (7, 2, 5)
    assert (calcified.age.median, calcified.age.iqr) == (77, 23)
    assert (rest.age.median, rest.age.iqr) == (67, 17)
    assert (round(calcified.ceap.mean, 1), round(calcified.ceap.sd, 1)) == (5.5, 0.9)
    assert (round(rest.ceap.mean, 1), round(rest.ceap.sd, 1)) == (4.3, 1.4)
    assert (calcified.duration.median, calcified.duration.iqr) == (7, 20)
    assert (rest.duration.median, rest.duration.iqr) == (2, 7)


def test_everybody(found):
    assert (found.cvi.n, found.cvi.male, found.cvi.female) == (20, 8, 12)
    assert (found.cvi.age.median, found.cvi.duration.median) == (70, 6)
    assert round(found.cvi.age_mean.mean, 1) == 66.6
    assert (round(found.cvi.ceap.mean, 1), round(found.cvi.ceap.sd, 2)) == (5.1, 1.21)
    assert (found.controls.n, found.controls.male, found.controls.female) == (20, 9, 11)
    assert round(found.controls.age_mean.mean, 1) == 67.3
    assert found.controls.ceap is None
    assert (found.cvi_not_graded, found.controls_not_graded) == (0, 0)


def test_prevalence_and_patterns(found):
    cvi, controls = found.prevalence_cvi, found.prevalence_controls
    assert (cvi.count, cvi.of, cvi.share) == (13, 20, 0.65)
    assert (controls.count, controls.of, controls.share) == (4, 20, 0.2)
    assert [round(100 * end, 1) for end in (cvi.low, cvi.high)] == [43.3, 81.9]
    assert [round(100 * end, 1) for end in (controls.low, controls.high)] == [8.1, 41.6]
    assert found.patterns_cvi == {"punctate": 9, "trabecular": 1, "reticular": 3}
    assert found.patterns_controls == {"punctate": 4, "trabecular": 0, "reticular": 0}
    by_class = {
        s.stratum: (s.calcified.count, s.calcified.of) for s in found.by_ceap if s.calcified
    }
    assert by_class == {"C2": (0, 1), "C4": (3, 7), "C6": (10, 12)}
    by_duration = [(s.calcified.count, s.calcified.of) for s in found.by_duration]
    assert by_duration == [(1, 5), (6, 9), (6, 6)]
    coarse = [s.patterns["trabecular"] + s.patterns["reticular"] for s in found.by_duration]
    assert coarse == [0, 0, 4]


@pytest.mark.parametrize(
    ("test", "exact", "normal", "continuity", "untied"),
    [
        ("duration", 0.0429, 0.0408, 0.0449, 0.0433),
        ("ceap", 0.0445, 0.0307, 0.0345, 0.0626),
        ("duration_by_pattern", 0.0042, 0.0066, 0.0084, 0.0087),
    ],
)
def test_mann_whitney_in_every_variant(found, test, exact, normal, continuity, untied):
    compared = getattr(found, test)
    variants = (compared.exact, compared.normal, compared.normal_continuity, compared.normal_untied)
    assert tuple(round(p, 4) for p in variants) == (exact, normal, continuity, untied)
    assert compared.p == compared.exact


def test_other_tests(found):
    assert round(found.prevalence_fisher, 4) == 0.0095
    assert found.age.p > 0.5  # the paper marks none


def test_every_record_is_there_and_owes_nothing(loaded):
    assert Counter(Ceap.objects.values_list("clinical", "ceap_version")) == {
        ("C2", "1994"): 1,
        ("C4", "1994"): 7,
        ("C6", "1994"): 12,
    }
    assert Counter(Reading.objects.values_list("reader__name", "calcification")) == {
        ("Tokoro et al. 2009", "present"): 17,
        ("Tokoro et al. 2009", "absent"): 23,
    }
    c6 = Ceap.objects.filter(clinical="C6").values_list("entry__participant", "entry__limb")
    assert Counter(c6) == Counter(Ulcer.objects.values_list("participant", "limb"))
    assert set(Ulcer.objects.values_list("ulcer_cause", flat=True)) == {"venous"}
    assert set(UlcerAssessment.objects.values_list("ulcer_status", flat=True)) == {"open"}
    assert UlcerAssessment.objects.filter(extruded_calcium=True).count() == 1
    assert not DataQuery.objects.exists()
    authors = User.objects.get(name="Tokoro et al. 2009")
    assert authors.is_system
    assert not authors.is_active
    assert not authors.has_usable_password()
    assert not Consent.objects.filter(allows_sharing=True).exists()
    assert not Visit.objects.exclude(code="BL").filter(missed_because="").exists()
    assert set(Change.objects.filter(site=loaded).values_list("by__is_system", flat=True)) == {True}


def test_loading_again_changes_nothing(loaded):
    def state() -> list[int]:
        return [
            model.objects.count() for model in (Site, User, Participant, Reading, Ulcer, Change)
        ]

    before = state()
    assert tokoro.load() == 0
    assert state() == before
    out = StringIO()
    call_command("load_tokoro", stdout=out)
    assert out.getvalue().strip().endswith("is already there; nothing changed.")
    assert state() == before


def test_the_command_prints_for_machines_and_for_people(loaded):
    out = StringIO()
    call_command("report", "tokoro", "--json", stdout=out)
    read = json.loads(out.getvalue())
    assert read["reconstruction"] is True
    assert read["conventions"]
    assert read["calcified"]["age"]["iqr"] == 23
    assert read["prevalence_cvi"]["count"] == 13
    assert read["duration"]["variant"] == "exact"
    assert round(read["duration"]["p"], 4) == 0.0429
    out = StringIO()
    call_command("report", "tokoro", stdout=out)
    text = out.getvalue()
    for said in ("no patient data", "77 (23)", "67 (17)", "7 (20)", "2 (7)", "8.1 – 41.6 %"):
        assert said in text


def test_the_page_reports_it_alone_and_says_what_it_is(loaded, client):
    with scope(User.objects.system("migration"), []):
        eli = User.objects.get(email="eli@example.org")
    client.force_login(eli)
    page = client.get("/reports/tokoro/", {"site": "TOK"}).content.decode()
    for said in (
        "no patient data",
        "Conventions of the reconstruction",
        "As published",
        "77 (23)",
        "5.5 ± 0.9",
        "13 / 20",
        "43.3 – 81.9 %",
        "0.0095",
        "0.0429",
    ):
        assert said in page
