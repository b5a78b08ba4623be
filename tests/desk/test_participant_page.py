"""The participant's page: what is known, drawn and as a table, each a link to its record."""

import re
from collections import Counter
from datetime import timedelta
from functools import partial
from html import unescape

import pytest
from django.urls import reverse
from django.utils.html import escape

from registry.access.scope import user_scope
from registry.core.dates import show_date
from registry.visits import actions
from registry.visits.crf import FORMS
from registry.visits.models import Visit

from .. import build
from ..imaging import films
from ..ulcers import build as ulcers

pytestmark = pytest.mark.slow


@pytest.fixture
def followed(cast):
    """Enrolled 600 days ago: seen at baseline and 6 months, missed at 3, an ulcer since a year."""
    enrolled = cast.tokyo.today - timedelta(days=600)
    participant = build.participant(cast.ana, enrolled_on=enrolled)
    baseline = build.attended(cast.ana, participant)
    for limb in ("right", "left"):
        build.form(cast.ana, baseline, "ceap", limb, clinical="C6" if limb == "right" else "C2")
    ulcer = ulcers.ulcer(cast.ana, baseline, onset_on=str(enrolled.year - 1))
    ulcers.assessed(cast.ana, baseline, ulcer)
    films.study(cast.ana, baseline, "right")
    with user_scope(cast.ana):
        missed = Visit.objects.get(participant=participant, code="M03")
        actions.miss_visit(by=cast.ana, visit=missed, because="travelling")
    later = build.attended(cast.ana, participant, "M06")
    build.form(cast.ana, later, "ceap", "right", clinical="C6")
    ulcers.assessed(cast.ana, later, ulcer)
    ulcers.ulcer(cast.ana, later, "left")
    on = later.attended_on
    row = partial(build.row, cast.ana, participant)
    row("treatment", kind="compression_bandage", limb="both", started_on="2025", ongoing=True)
    row("event", kind="cellulitis", limb="left", occurred_on=on)
    row("event", kind="death", limb=None, occurred_on=enrolled + timedelta(days=500))
    row("past_ulcer", limb="left", onset_on="2012", reported_closed_on="2013-05")
    row("contact", attempted_on=on, outcome="reached")
    return participant


def page_of(client, participant, **query):
    answer = client.get(reverse("participant", args=[participant.study_number]), query)
    assert answer.status_code == 200
    return answer


def main_of(page):
    return page.partition("<main")[2].partition("</main>")[0]


def drawn(page):
    """(address, accessible name) of every mark of the drawing."""
    svg = re.search(r'<svg class="drawing".*?</svg>', page, re.S)[0]
    return re.findall(r'<a class="mark" href="([^"]+)" aria-label="([^"]+)"', svg)


def test_every_fact_is_a_mark_a_row_and_a_link(client, cast, followed):
    client.force_login(cast.ana)
    answer = page_of(client, followed)
    page = answer.content.decode()
    facts = answer.context["timeline"].facts
    counts = Counter(one.lane for one in facts)
    # Two ulcers seen and one reported; a treatment; two events.
    expected = {"ceap": 3, "ulcers": 3, "films": 1, "treatments": 1, "events": 2}
    assert {lane: counts[lane] for lane in expected} == expected
    assert counts["visits"] == len(facts) - sum(expected.values()) >= 6
    assert sorted(drawn(page)) == sorted((one.url, one.name) for one in facts)
    table = re.search(r'id="timeline-table".*?</table>', page, re.S)[0]
    assert table.count("<tr>") - 1 == len(facts)
    for address in {address.partition("#")[0] for address, _name in drawn(page)}:
        assert client.get(address).status_code == 200


def test_the_facts_name_the_worst_leg_by_the_last_class_of_each(client, cast):
    participant = build.participant(cast.ana)
    client.force_login(cast.ana)

    def worst():
        page = main_of(page_of(client, participant).content.decode())
        said = re.search(r"<dt>CEAP, worst leg</dt><dd>(.*?)</dd>", page)[1]
        return re.sub(r"<[^>]+>", "", said)

    assert worst() == "not yet graded"
    visit = build.attended(cast.ana, participant)
    baseline = show_date(visit.attended_on)
    for limb, clinical in (("right", "C2"), ("left", "C2r")):
        build.form(cast.ana, visit, "ceap", limb, clinical=clinical)
    assert worst() == f"C2r (Left leg, {baseline})"
    build.form(cast.ana, visit, "ceap", "right", clinical="C4a")
    assert worst() == f"C4a (Right leg, {baseline})"
    later = build.attended(cast.ana, participant, "M03")
    unseen = {"clinical": "not_assessable"}
    build.form(cast.ana, later, "ceap", "right", clinical=None, absent=unseen)
    assert worst() == f"C4a (Right leg, {baseline})"
    build.form(cast.ana, later, "ceap", "left", clinical="C5")
    assert worst() == f"C5 (Left leg, {show_date(later.attended_on)})"


def test_a_marks_name_says_leg_what_date_and_value(client, cast, followed):
    client.force_login(cast.ana)
    names = {name for _address, name in drawn(page_of(client, followed).content.decode())}
    enrolled = show_date(followed.enrolled_on)
    assert f"Right leg, CEAP, {enrolled}: C6,s Ep As Pr (GSVa) LII" in names
    assert f"Right leg, X-ray, {enrolled}: not yet graded" in names
    assert f"Participant, Baseline, {enrolled}: Attended" in names
    assert any(re.match(r"Participant, 3 months, .+ – .+: Missed, travelling$", n) for n in names)
    assert any(n.startswith("Right leg, Ulcer R1, onset ") for n in names)
    assert any(
        re.match(r"Both legs, Treatment, .+, ongoing: compression bandage", n) for n in names
    )
    assert any(re.match(r"Left leg, Event, .+: cellulitis", n) for n in names)
    assert any(re.match(r"Participant, Event, .+: death", n) for n in names)
    assert any(n.startswith("Left leg, Past ulcer, as reported, onset 2012") for n in names)


def test_nothing_is_drawn_across_the_missed_visit_nor_known_after_the_last(client, cast, followed):
    client.force_login(cast.ana)
    timeline = page_of(client, followed).context["timeline"]
    ulcer = next(one for one in timeline.facts if one.what == "Ulcer R1")
    died = followed.enrolled_on + timedelta(days=500)
    assert [one.manner for one in ulcer.stretches] == ["doubt", "known", "unseen", "unseen"]
    assert ulcer.last == died
    classes = next(row for row in timeline.bands[1].lanes if row.lane == "ceap")
    assert (len(classes.marks), classes.steps) == (2, ())
    assert timeline.end


def test_a_period_is_a_link_and_anything_else_shows_all(client, cast):
    participant = build.participant(cast.ana)
    build.row(cast.ana, participant, "past_ulcer", limb="left", onset_on="2012")
    client.force_login(cast.ana)
    for period, shown in (("6", 183), ("24", 731), ("all", None), ("<b>", None)):
        answer = page_of(client, participant, period=period)
        first = answer.context["timeline"].span.first
        assert first.year == 2012 if shown is None else (cast.tokyo.today - first).days == shown
        assert "<b>" not in answer.content.decode()


def test_the_page_says_what_is_next_and_what_was_done(client, cast, followed):
    client.force_login(cast.ana)
    page = page_of(client, followed).content.decode()
    text = re.sub(r"<[^>]+>|\s+", " ", page)
    text = re.sub(r" +", " ", text)
    assert "Next:" not in text  # after a death nothing is to come
    assert "Contact tried" in text
    assert "Treatments 1 row" in text
    assert reverse("over_time", args=[followed.study_number, "ceap"]) in page


def test_a_site_sees_only_its_own(client, cast):
    participant = build.participant(cast.ana)
    client.force_login(cast.ben)
    for name, more in (("participant", []), ("over_time", ["ceap"])):
        address = reverse(name, args=[participant.study_number, *more])
        assert client.get(address).status_code == 404


def test_the_number_of_queries_is_constant(client, cast, followed, django_assert_max_num_queries):
    client.force_login(cast.ana)
    places = [
        reverse("participant", args=[followed.study_number]),
        reverse("over_time", args=[followed.study_number, "ceap"]),
    ]
    for place in places:
        client.get(place)
    counts = []
    for place in places:
        with django_assert_max_num_queries(60) as first:
            client.get(place)
        counts.append(len(first))
    for code in ("M12", "M18"):
        visit = build.attended(cast.ana, followed, code)
        build.form(cast.ana, visit, "ceap", "right")
        ulcer = ulcers.ulcer(cast.ana, visit)
        ulcers.assessed(cast.ana, visit, ulcer)
        build.row(cast.ana, followed, "event", kind="dvt", occurred_on=visit.attended_on)
    for place, count in zip(places, counts, strict=True):
        with django_assert_max_num_queries(count):
            client.get(place)


# -- over time ---------------------------------------------------------------------------------


def table_of(page, caption):
    """Rows of the table with that caption: label → texts from left to right."""
    table = next(one for one in re.findall(r"<table.*?</table>", page, re.S) if caption in one)
    rows = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.S):
        label, *cells = [
            unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell))).strip()
            for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)
        ]
        rows[label] = cells
    return rows


def test_values_stand_in_time_with_the_newest_beside_the_labels(client, cast):
    participant = build.participant(cast.ana)
    baseline = build.attended(cast.ana, participant)
    build.form(cast.ana, baseline, "laboratory", calcium_total="2.3", absent={"crp": "refused"})
    for code in ("M03", "M12"):
        visit = build.attended(cast.ana, participant, code)
    build.form(cast.ana, visit, "laboratory", calcium_total="2.5", crp="7", crp_comparator="<")
    client.force_login(cast.ana)
    page = client.get(reverse("over_time", args=[participant.study_number, "laboratory"]))
    rows = table_of(page.content.decode(), "Laboratory")
    assert [cell.partition(" :")[0] for cell in rows["Item"]] == ["12 months", "Baseline"]
    assert rows["Total calcium (mmol/L)"] == ["2.5", "2.3"]
    assert rows["C-reactive protein (mg/L)"] == ["< 7", "refused"]
    assert "Phosphate (mmol/L)" not in rows
    assert all(cell for cells in rows.values() for cell in cells)
    assert "<input" not in main_of(page.content.decode())


def test_items_not_asked_at_a_visit_say_so(client, cast, followed):
    client.force_login(cast.ana)
    page = client.get(reverse("over_time", args=[followed.study_number, "ceap"])).content.decode()
    right, left = table_of(page, "CEAP: Right"), table_of(page, "CEAP: Left")
    assert right["Etiology"] == ["not asked", "Ep primary"]
    assert right["Clinical class, 1994 scale"] == ["6", "6"]
    assert left["Clinical class"] == ["not entered", "C2 varicose veins"]


def test_a_log_has_no_visits_to_stand_beside_each_other(client, cast):
    participant = build.participant(cast.ana)
    client.force_login(cast.ana)
    for form in ("treatment", "nothing"):
        answer = client.get(reverse("over_time", args=[participant.study_number, form]))
        assert answer.status_code == 404


# -- blank paper -------------------------------------------------------------------------------


def test_a_blank_form_has_every_item_asked_and_no_answer(client, cast):
    participant = build.participant(cast.ana)
    client.force_login(cast.ana)
    with user_scope(cast.ana):
        visit = Visit.objects.select_related("participant").get(participant=participant, code="M12")
    page = client.get(reverse("blank_visit", args=[visit.pk])).content.decode()
    for asked in visit.asked:
        for item in FORMS[asked.form].items(asked.sections).values():
            assert item.derived or item.companion_of or escape(item.label) in page
    assert "C4a pigmentation or eczema" in page
    words = re.sub(r"<[^>]+>", "", page)
    assert "2 2 to 6 cm" in words
    assert "amputated_below_knee" not in page
    assert "Pro Pr,o reflux and obstruction" in words
    assert "Ulcer: ______" in page
    assert "<input" not in main_of(page)
