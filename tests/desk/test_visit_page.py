"""The visit's page: sections, drafts, bad input, other sites."""

import re

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.crfs.models import Laboratory, Vcss
from registry.visits.models import FormEntry

from .. import build
from ..posting import Page, made_for


@pytest.fixture
def visit(cast):
    return build.attended(cast.ana, build.participant(cast.ana))


def post(client, visit, form, action="complete", **values):
    """Post one section nobody saved before."""
    values |= {"action": action} | made_for(client, visit.participant)
    return client.post(reverse("visit_form", args=[visit.pk, form]), values)


@pytest.fixture
def ana(client, cast):
    client.force_login(cast.ana)
    client.ana = cast.ana
    return client


VCSS = dict.fromkeys(build.FILLED["vcss"], "1") | {
    "done_on": "t",
    "active_ulcers": "0",
    "ulcer_duration": "0",
    "ulcer_size": "0",
}


def side(limb, values):
    return {f"vcss-{limb}-{name}": value for name, value in values.items()}


def test_the_page_shows_every_form_with_both_legs_right_first(ana, visit):
    page = ana.get(reverse("visit", args=[visit.pk])).content.decode()
    for form in ("leg_check", "ceap", "vcss", "laboratory", "xray"):
        assert f'id="form-{form}"' in page
    assert page.index("vcss-right-pain") < page.index("vcss-left-pain")
    assert "checked" not in page.split('id="form-vcss"')[1].split("</section>")[0]


def test_completing_both_legs_writes_two_records(ana, visit, cast):
    response = post(ana, visit, "vcss", **side("right", VCSS), **side("left", VCSS))
    assert response.status_code == 302
    assert response["Location"].endswith("#form-laboratory")  # the next one
    with user_scope(cast.ana):
        assert [record.total for record in Vcss.objects.all()] == [7, 7]


def test_an_untouched_leg_stays_empty(ana, visit, cast):
    assert post(ana, visit, "vcss", **side("right", VCSS)).status_code == 302
    with user_scope(cast.ana):
        states = dict(visit.entries.filter(form="vcss").values_list("limb", "state"))
    assert states == {"right": "complete", "left": "empty"}


def test_a_missing_answer_blocks_completion_and_keeps_what_was_typed(ana, visit, cast):
    typed = side("right", VCSS | {"pain": "", "done_on": "2026-13-01"})
    response = post(ana, visit, "vcss", **typed)
    page = response.content.decode()
    assert response.status_code == 422
    assert "<title>Error:" in page.replace("\n", "")
    assert "Right: Pain or discomfort: still to be answered." in page
    assert 'value="2026-13-01"' in page
    with user_scope(cast.ana):
        assert not Vcss.objects.exists()


def test_a_wrong_leg_leaves_nothing_of_the_right_one(ana, visit, cast):
    wrong = side("left", VCSS | {"pain": "7"})
    assert post(ana, visit, "vcss", **side("right", VCSS), **wrong).status_code == 422
    with user_scope(cast.ana):
        assert not Vcss.objects.exists()
        assert set(visit.entries.values_list("state", flat=True)) == {"empty"}


def test_a_cross_check_that_refuses_speaks_at_its_item(ana, visit):
    values = {
        "done_on": "v",
        "ceap_version": "2020",
        "clinical": "C4",
        "symptomatic": "True",
        "etiology": "Ep",
        "anatomy": "GSV",
        "pathophysiology": "Pr",
        "investigation_level": "LII",
    }
    response = post(ana, visit, "ceap", **{f"ceap-right-{k}": v for k, v in values.items()})
    assert response.status_code == 422
    assert "Right: Class C4 does not exist in CEAP 2020." in response.content.decode()


def laboratory(ana, visit, **values):
    values = {"done_on": "v", "sampled_on": "v"} | values
    return post(ana, visit, "laboratory", **{f"laboratory-{k}": v for k, v in values.items()})


def test_calcium_in_the_wrong_unit_is_refused_with_the_hint(ana, visit):
    response = laboratory(ana, visit, calcium_total="9.8", calcium_total__unit="mmol/L")
    page = response.content.decode()
    assert response.status_code == 422
    assert "9.8 looks like mg/dL" in page
    assert 'value="9.8"' in page


def test_calcium_typed_in_mg_dl_is_kept_as_typed_and_converted(ana, visit, cast):
    response = laboratory(ana, visit, calcium_total="<9,8", calcium_total__unit="mg/dL")
    assert response.status_code == 302
    with user_scope(cast.ana):
        record = Laboratory.objects.get()
    assert (record.calcium_total_typed, record.calcium_total_unit) == ("9.8", "mg/dL")
    assert (str(record.calcium_total), record.calcium_total_comparator) == ("2.445", "<")
    page = ana.get(reverse("visit", args=[visit.pk])).content.decode()
    assert 'value="&lt;9.8"' in page


def test_a_value_and_a_reason_for_its_absence_are_refused(ana, visit):
    response = laboratory(ana, visit, phosphate="1.1", phosphate__absent="not_done")
    assert response.status_code == 422
    assert "a value and a reason for its absence" in response.content.decode()


def test_a_draft_keeps_any_text_and_is_shown_again(ana, visit, cast):
    response = post(ana, visit, "laboratory", action="draft", **{"laboratory-phosphate": "1,x"})
    assert response.status_code == 302
    page = ana.get(reverse("visit", args=[visit.pk])).content.decode()
    assert 'value="1,x"' in page
    assert "Draft of Ana Sato" in page
    with user_scope(cast.ana):
        assert not Laboratory.objects.exists()
        assert FormEntry.objects.get(form="laboratory", visit=visit).state == "draft"


def test_the_rest_not_done_fills_the_blanks_of_the_leg_chosen(ana, visit, cast):
    typed = side("right", {"pain": "1"}) | side("left", {"pain": "2"})
    response = post(ana, visit, "vcss", "rest_absent", **typed, **{"rest-vcss-left": "not_done"})
    assert response.status_code == 302
    with user_scope(cast.ana):
        drafts = dict(visit.entries.filter(form="vcss").values_list("limb", "draft"))
    assert drafts["left"]["vcss-left-compression__absent"] == ["not_done"]
    assert drafts["left"]["vcss-left-pain"] == ["2"]
    assert "vcss-right-compression__absent" not in drafts["right"]
    assert "9 items" in ana.get(response["Location"]).content.decode()
    assert Page(ana, visit, "vcss").send("rest_undo").status_code == 302
    with user_scope(cast.ana):
        draft = visit.entries.get(form="vcss", limb="left").draft
    assert [name for name in draft if name.endswith("__absent")] == []
    assert draft["vcss-left-pain"] == ["2"]


def test_a_copied_leg_is_not_complete_until_confirmed(ana, visit, cast):
    response = post(ana, visit, "vcss", "copy_right", **side("right", VCSS))
    assert response.status_code == 302
    page = Page(ana, visit, "vcss")
    assert page.holds["vcss-left-pain"] == ["1"]
    assert page.holds["vcss-left-pain__copied"] == ["on"]
    response = page.send("complete")
    assert response.status_code == 422
    assert "Left: Copied from the other leg and not yet confirmed" in response.content.decode()
    with user_scope(cast.ana):
        assert not Vcss.objects.exists()
    page.holds = {n: value for n, value in page.holds.items() if not n.endswith("__copied")}
    assert page.send("complete").status_code == 302
    with user_scope(cast.ana):
        assert [record.pain for record in Vcss.objects.all()] == [1, 1]


def test_a_unit_is_preset_to_what_was_typed_last_at_the_site(ana, visit, cast):
    page = ana.get(reverse("visit", args=[visit.pk])).content.decode()
    chosen = 'name="laboratory-calcium_total__unit" value="{}"[^>]* checked'
    assert re.search(chosen.format("mmol/L"), page)
    laboratory(ana, visit, calcium_total="9.8", calcium_total__unit="mg/dL")
    other = build.attended(cast.ana, build.participant(cast.ana))
    page = ana.get(reverse("visit", args=[other.pk])).content.decode()
    assert re.search(chosen.format("mg/dL"), page)


def test_unknown_forms_and_other_sites_are_404(ana, visit, cast, client):
    assert ana.post(reverse("visit_form", args=[visit.pk, "nonsense"])).status_code == 404
    client.force_login(cast.ben)
    for name in ("visit", "attend_visit", "miss_visit"):
        assert client.get(reverse(name, args=[visit.pk])).status_code == 404


def test_a_viewer_reads_and_may_not_save(client, visit, cast):
    client.force_login(cast.vera)
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "Save draft" not in page
    assert client.post(reverse("visit_form", args=[visit.pk, "vcss"])).status_code == 403


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "still to be answered"),
        ("2099-01-01", "lies in the future"),
        ("03/04/2026", "can mean"),
        ("soon", "cannot be read as a date"),
    ],
)
def test_a_visits_date_that_cannot_be(ana, cast, typed, says):
    subject = build.participant(cast.ana)
    with user_scope(cast.ana):
        planned = subject.visits.get(code="BL")
    sent = {"visit_on": typed} | made_for(ana, subject)
    response = ana.post(reverse("attend_visit", args=[planned.pk]), sent)
    assert response.status_code == 422
    assert says in response.content.decode()
    if typed:
        assert f'value="{typed}"' in response.content.decode()


def test_the_number_of_queries_does_not_grow_with_participants(
    ana, visit, cast, django_assert_max_num_queries
):
    ana.get(reverse("visit", args=[visit.pk]))
    with django_assert_max_num_queries(80) as first:
        ana.get(reverse("visit", args=[visit.pk]))
    build.attended(cast.ana, build.participant(cast.ana))
    with django_assert_max_num_queries(len(first)):
        ana.get(reverse("visit", args=[visit.pk]))
