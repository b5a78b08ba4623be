"""Reading back what was typed: the server's reader, in the visit's time and units."""

import pytest
from django.urls import reverse

from .. import build


@pytest.fixture
def visit(cast):
    participant = build.participant(cast.ana)
    build.attended(cast.ana, participant)
    return build.attended(cast.ana, participant, "M12")


@pytest.fixture
def read(client, cast, visit):
    client.force_login(cast.ana)

    def read(name, kind, text, **more):
        sent = {"name": name, "kind": kind, "text": text, "visit": visit.pk} | more
        response = client.post(reverse("read"), sent)
        assert response.status_code == 200
        return response.json()

    return read


@pytest.mark.parametrize(
    ("text", "more", "reply"),
    [
        ("2,45", {}, {"says": "2.45 mmol/L"}),
        ("9.8", {"unit": "mg/dL"}, {"says": "9.8 mg/dL = 2.445 mmol/L"}),
        ("<9.8", {"unit": "mg/dL"}, {"says": "< 9.8 mg/dL = < 2.445 mmol/L"}),
        (
            "9.8",
            {"unit": "mg/dL", "to_unit": "mmol/L"},
            {"says": "9.8 mg/dL = 2.445 mmol/L", "value": "2.45"},
        ),
        ("1.500", {}, {"says": "1.5 mmol/L"}),
        ("2.4", {"unit": "stone", "to_unit": "stone"}, {"says": "2.4 mmol/L"}),
    ],
)
def test_numbers(read, text, more, reply):
    assert read("laboratory-calcium_total", "number", text, **more) == reply


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("date", "v", ", 365 days after Baseline"),
        ("partial_date", "May 2026", "May 2026 (day unknown)"),
        ("partial_date", "2026-??-??", "2026 (month unknown)"),
    ],
)
def test_dates(read, kind, text, says):
    assert read("laboratory-sampled_on", kind, text)["says"].endswith(says)


def test_a_date_in_an_era_is_read_back_in_western_years(read):
    assert read("laboratory-sampled_on", "date", "R8.4.3")["says"].startswith("Fri 3 April 2026, ")


def test_relative_dates_are_made_fixed(read, visit):
    assert read("laboratory-done_on", "date", "v")["value"] == visit.attended_on.isoformat()
    assert "value" not in read("laboratory-done_on", "date", "2026-04-03")


def test_at_baseline_itself_the_days_are_counted_from_the_visit(read, cast):
    first = build.attended(cast.ana, build.participant(cast.ana))
    reply = read("laboratory-done_on", "date", "v", visit=first.pk)
    assert reply["says"].endswith("the day of Baseline")


@pytest.mark.parametrize(
    ("kind", "text"), [("number", "1.5mg"), ("date", "03/04/2026"), ("partial_date", "soon")]
)
def test_what_cannot_be_read_is_said(read, kind, text):
    reply = read("laboratory-calcium_total", kind, text)
    assert text in reply["error"]
    assert "says" not in reply


@pytest.mark.parametrize("name", ["", "nonsense-x", "laboratory", "laboratory-x", "visit_on"])
@pytest.mark.parametrize("pk", ["", "x", "²", "9" * 30, "0"])
def test_unknown_names_and_visits_are_read_plainly(read, name, pk):
    assert read(name, "number", "4", visit=pk) == {"says": "4"}
    assert "says" in read(name, "date", "t", visit=pk)
    assert read(name, "nonsense", "4", visit=pk) == {}


def test_text_that_no_keyboard_types_is_refused_whole(client, cast):
    client.force_login(cast.ana)
    sent = {"kind": "number", "name": "laboratory-calcium_total", "text": "2\0"}
    assert client.post(reverse("read"), sent).status_code == 400


def test_another_sites_visit_gives_no_date(client, cast, visit):
    client.force_login(cast.ben)
    sent = {"kind": "date", "text": "v", "visit": visit.pk, "name": "laboratory-done_on"}
    assert "error" in client.post(reverse("read"), sent).json()


def test_who_enters_nothing_has_nothing_read(client, cast):
    client.force_login(cast.vera)
    assert client.post(reverse("read"), {"kind": "number", "text": "4"}).status_code == 403
