"""Nothing lost: drafts, two people on one form, what is chosen, why it changes."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from registry.access.models import User
from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.crfs.models import Laboratory, Vcss
from registry.quality.models import DataQuery
from registry.visits import actions
from registry.visits.models import FormEntry

from .. import build
from ..posting import Page, showing

pytestmark = pytest.mark.slow

# Nobody has looked at the leg: nothing is proposed that could be confirmed.
UNPROPOSED = {
    "proposal_confirmed": False,
    "overridden_to": "dystrophic",
    "basis": "histology",
    "override_reason": "biopsy",
}
PHOSPHATE, CRP = "laboratory-phosphate", "laboratory-crp"


@pytest.fixture
def visit(cast):
    return build.attended(cast.ana, build.participant(cast.ana))


@pytest.fixture
def pages(cast):
    """Opens a section as a person of the cast, each in a browser of their own."""

    def open_page(user, visit, form="laboratory"):
        browser = Client()
        browser.force_login(user)
        return Page(browser, visit, form)

    return open_page


def entry_of(cast, visit, form="laboratory", **which):
    with user_scope(cast.ana):
        return visit.entries.get(form=form, **which)


def draft_of(cast, visit):
    return entry_of(cast, visit).draft


def test_an_autosave_answers_with_time_base_and_state(cast, visit, pages):
    page = pages(cast.ana, visit)
    page.holds[PHOSPHATE] = ["1.1"]
    response = page.send(script=True)
    answer = response.json()
    assert response.status_code == 200
    assert answer["base"][PHOSPHATE] == ["1.1"]
    assert "In progress" in answer["state"]
    assert draft_of(cast, visit)[PHOSPHATE] == ["1.1"]
    assert entry_of(cast, visit).draft_by == cast.ana


def test_the_same_send_twice_writes_once(cast, visit, pages):
    page = pages(cast.ana, visit)
    page.holds[PHOSPHATE] = ["1.1"]
    page.send(script=True)
    once = entry_of(cast, visit)
    assert page.send(script=True).status_code == 200
    again = entry_of(cast, visit)
    assert (again.revision, again.draft_at) == (once.revision, once.draft_at)


def test_opening_and_sending_untouched_makes_no_draft(cast, visit, pages):
    pages(cast.ana, visit).send(script=True)
    entry = entry_of(cast, visit)
    assert (entry.draft, entry.state) == (None, "empty")


def test_an_answer_taken_back_leaves_no_draft(cast, visit, pages):
    page = pages(cast.ana, visit)
    page.holds[PHOSPHATE] = ["1.1"]
    page.hidden["base"] = "{}"
    page.send(script=True)
    page = pages(cast.ana, visit)
    del page.holds[PHOSPHATE]
    page.send(script=True)
    entry = entry_of(cast, visit)
    assert (entry.draft, entry.state) == (None, "empty")


def test_two_people_on_different_items_lose_nothing(cast, visit, pages):
    ana, hiro = pages(cast.ana, visit), pages(cast.hiro, visit)
    ana.holds[PHOSPHATE], hiro.holds[CRP] = ["1.1"], ["4"]
    assert ana.send(script=True).status_code == 200
    answer = hiro.send(script=True)
    assert answer.status_code == 200
    assert {PHOSPHATE: ["1.1"], CRP: ["4"]}.items() <= draft_of(cast, visit).items()
    assert "Ana Sato" in answer.json()["compare"]
    # Hiro's page shows no phosphate: its base stays, and sending again takes nothing from Ana.
    assert PHOSPHATE not in answer.json()["base"]
    hiro.send(script=True)
    assert draft_of(cast, visit)[PHOSPHATE] == ["1.1"]


def race(cast, visit, pages):
    """Ana and Hiro type another phosphate; Ana is first."""
    ana, hiro = pages(cast.ana, visit), pages(cast.hiro, visit)
    ana.holds[PHOSPHATE], hiro.holds[PHOSPHATE], hiro.holds[CRP] = ["1.1"], ["1.2"], ["4"]
    ana.send(script=True)
    return hiro


def test_two_people_on_one_item_choose(cast, visit, pages):
    hiro = race(cast, visit, pages)
    response = hiro.send(script=True)
    answer = response.json()
    assert response.status_code == 409
    assert answer["both"] == 1
    assert "Yours: 1.2 mmol/L" in answer["compare"]
    assert "Theirs: 1.1 mmol/L" in answer["compare"]
    assert "Ana Sato" in answer["compare"]
    assert draft_of(cast, visit)[PHOSPHATE] == ["1.1"]  # not overwritten
    assert draft_of(cast, visit)[CRP] == ["4"]  # and the rest is saved


@pytest.mark.parametrize(("choice", "stays"), [("mine", "1.2"), ("theirs", "1.1")])
def test_one_press_settles_it(cast, visit, pages, choice, stays):
    hiro = race(cast, visit, pages)
    answer = hiro.send(script=True).json()
    hiro.hidden |= {"base": json.dumps(answer["base"]), "seen": _seen(answer["compare"])}
    response = hiro.send(script=True, choice=f"{choice} {PHOSPHATE}")
    assert response.status_code == 200
    assert draft_of(cast, visit)[PHOSPHATE] == [stays]
    shown = response.json()["show"]
    assert [*shown] == ([PHOSPHATE] if choice == "theirs" else [])
    if choice == "theirs":
        assert shown[PHOSPHATE][PHOSPHATE] == ["1.1"]


def _seen(compare):
    return html.unescape(re.search(r'name="seen" value="([^"]*)"', compare)[1])


def test_a_third_answer_since_what_was_seen_is_asked_again(cast, visit, pages):
    hiro = race(cast, visit, pages)
    answer = hiro.send(script=True).json()
    ana = pages(cast.ana, visit)
    ana.holds[PHOSPHATE] = ["1.3"]
    ana.send(script=True)
    hiro.hidden |= {"base": json.dumps(answer["base"]), "seen": _seen(answer["compare"])}
    assert hiro.send(script=True, choice=f"mine {PHOSPHATE}").status_code == 409
    assert draft_of(cast, visit)[PHOSPHATE] == ["1.3"]


@pytest.mark.parametrize("action", ["draft", "complete"])
def test_without_javascript_the_page_shows_both_and_keeps_what_was_typed(
    cast, visit, pages, action
):
    hiro = race(cast, visit, pages)
    hiro.holds["laboratory-sampled_on"] = ["v"]
    response = hiro.send(action)
    text = response.content.decode()
    assert response.status_code == 409
    assert "Choose which answer stays" in text
    assert 'value="1.2"' in text
    hiro.read(text, "laboratory")
    hiro.holds |= {PHOSPHATE: ["1.2"], CRP: ["4"], "laboratory-sampled_on": ["v"]}
    assert hiro.send(action).status_code == 409  # pressing again is no choice
    assert hiro.send("draft", choice=f"mine {PHOSPHATE}").status_code == 302
    assert draft_of(cast, visit)[PHOSPHATE] == ["1.2"]


def test_two_people_completing_one_record_are_both_in_the_history(cast, visit, pages):
    build.form(cast.ana, visit, "laboratory")
    ana, hiro = pages(cast.ana, visit), pages(cast.hiro, visit)
    ana.holds[PHOSPHATE], hiro.holds[PHOSPHATE] = ["1.1"], ["1.2"]
    assert ana.send("complete", why="new").status_code == 302
    answer = hiro.send("complete", why="slip")
    assert answer.status_code == 409
    hiro.read(answer.content.decode(), "laboratory")
    hiro.holds[PHOSPHATE] = ["1.2"]
    assert hiro.send("draft", choice=f"mine {PHOSPHATE}").status_code == 302
    hiro = pages(cast.hiro, visit)
    assert hiro.send("complete", why="slip", reason="misread").status_code == 302
    with user_scope(cast.ana):
        changes = Change.objects.filter(label="crfs.laboratory", action="update").order_by("id")
        said = [(c.changes["phosphate"], str(c.by), c.reason) for c in changes]
    assert [one[1:] for one in said] == [
        ("Ana Sato", "New information"),
        ("Hiro Mori", "Typing slip: misread"),
    ]
    assert [float(value) for value in said[1][0]] == [1.1, 1.2]


def test_changing_a_completed_form_asks_why_once(cast, visit, pages):
    build.form(cast.ana, visit, "laboratory")
    page = pages(cast.ana, visit)
    page.holds |= {PHOSPHATE: ["1.1"], CRP: ["4"]}
    response = page.send("complete")
    text = response.content.decode()
    assert response.status_code == 422
    assert "Why do the answers change?" in text
    assert text.count('name="why-laboratory-') == 2
    assert "<title>Error:" in text.replace("\n", "")
    with user_scope(cast.ana):
        assert Laboratory.objects.get().phosphate is None
    own = {f"why-{CRP}": "second sample"}
    assert page.send("complete", why="source", **own).status_code == 302
    with user_scope(cast.ana):
        change = Change.objects.filter(label="crfs.laboratory", action="update").get()
        assert {"phosphate", "crp"} <= change.changes.keys()
        assert change.reason.startswith("Source corrected; ")
        assert change.reason.endswith(": second sample")


def test_completing_again_unchanged_asks_nothing_and_writes_nothing(cast, visit, pages):
    build.form(cast.ana, visit, "laboratory")
    with user_scope(cast.ana):
        before = Change.objects.count()
    assert pages(cast.ana, visit).send("complete").status_code == 302
    with user_scope(cast.ana):
        assert Change.objects.count() == before


def test_a_draft_over_a_record_asks_no_reason_and_discarding_leaves_it_identical(
    cast, visit, pages
):
    record = build.form(cast.ana, visit, "laboratory")
    with user_scope(cast.ana):
        before = Laboratory.objects.filter(pk=record.pk).values().get()
        changes = Change.objects.count()
    page = pages(cast.ana, visit)
    page.holds[PHOSPHATE] = ["9,9x"]
    assert page.send("draft").status_code == 302
    text = page.client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "Draft of Ana Sato" in text
    assert 'value="9,9x"' in text
    assert pages(cast.ana, visit).send("discard").status_code == 302
    entry = entry_of(cast, visit)
    assert (entry.draft, entry.draft_by, entry.draft_at, entry.state) == (
        None,
        None,
        None,
        "complete",
    )
    with user_scope(cast.ana):
        assert Laboratory.objects.filter(pk=record.pk).values().get() == before
        assert Change.objects.count() == changes


def test_a_draft_that_grew_meanwhile_is_not_discarded(cast, visit, pages):
    ana = pages(cast.ana, visit)
    ana.holds[PHOSPHATE] = ["1.1"]
    ana.send()
    stale = pages(cast.ana, visit)
    hiro = pages(cast.hiro, visit)
    hiro.holds[CRP] = ["4"]
    hiro.send()
    assert stale.send("discard").status_code == 409
    assert draft_of(cast, visit)[CRP] == ["4"]


def test_a_draft_reaches_no_query(cast, visit, pages):
    page = pages(cast.ana, visit)
    page.holds["laboratory-calcium_total"] = ["4.5"]
    page.send()
    with user_scope(cast.ana):
        assert not DataQuery.objects.exists()
        assert not Laboratory.objects.exists()


def test_another_participants_page_saves_nothing(cast, visit, pages):
    other = build.attended(cast.ana, build.participant(cast.ana))
    page = pages(cast.ana, visit)
    page.holds[PHOSPHATE] = ["1.1"]
    page.url = reverse("visit_form", args=[other.pk, "laboratory"])
    for script in (False, True):
        response = page.send(script=script)
        assert response.status_code == 409
        assert "made for another participant" in response.content.decode()
    assert draft_of(cast, other) is None
    for name in ("attend_visit", "miss_visit", "complete_visit"):
        data = {"page": page.hidden["page"], "visit_on": "t", "because": "moved"}
        response = page.client.post(reverse(name, args=[other.pk]), data)
        assert (name, response.status_code) == (name, 409)


def test_what_one_person_typed_is_not_saved_as_another(cast, visit, pages):
    page = pages(cast.ana, visit)
    page.holds[PHOSPHATE] = ["1.1"]
    page.client.force_login(cast.hiro)
    response = page.send(script=True)
    assert response.status_code == 409
    assert "typed by Ana Sato" in response.json()["message"]
    assert draft_of(cast, visit) is None


@pytest.mark.parametrize(
    "base", ["", "x", "[]", '{"laboratory-phosphate": 3}', "null", "[" * 100_000]
)
def test_a_base_that_no_page_sends_overwrites_nothing(cast, visit, pages, base):
    build.form(cast.ana, visit, "laboratory", phosphate="1.1")
    page = pages(cast.hiro, visit)
    page.hidden["base"] = base
    page.holds[PHOSPHATE] = ["1.2"]
    assert page.send().status_code == 409


def test_a_character_that_no_database_keeps_is_refused(cast, visit, pages):
    page = pages(cast.ana, visit)
    for script in (False, True):
        assert page.send(script=script, **{PHOSPHATE: "1\0"}).status_code == 400
    assert draft_of(cast, visit) is None
    for url in ("/queries/?form=%00", "/participants/%00/", "/participants/%00/logs/event/1/"):
        assert page.client.get(url).status_code == 400


def test_the_rest_filled_on_one_page_is_no_difference_on_another(cast, visit, pages):
    first, second, third = (pages(cast.ana, visit) for _page in range(3))
    filled = first.send("rest_absent", **{"rest-laboratory": "not_done"})
    assert filled.status_code == 302
    second.holds[PHOSPHATE] = ["1.1"]
    answer = second.send(script=True)
    assert (answer.status_code, answer.json()["both"]) == (409, 1)  # the phosphate is not done
    assert "__rest" not in answer.json()["base"]
    assert third.send("rest_absent", **{"rest-laboratory": "unknown"}).status_code == 409
    assert third.send("rest_undo").status_code == 302


def test_a_locked_form_says_so_to_the_script(cast, visit, pages):
    page = pages(cast.ana, visit)
    with user_scope(cast.ana):
        visit.entries.filter(form="laboratory").update(locked_at="2026-01-01T00:00Z")
    page.holds[PHOSPHATE] = ["1.1"]
    response = page.send(script=True)
    assert response.status_code == 422
    assert "locked" in response.json()["message"]
    assert PHOSPHATE not in response.json()["base"]


# -- the whole visit ---------------------------------------------------------------------------


def press_complete(page, visit):
    url = reverse("complete_visit", args=[visit.pk])
    with user_scope(User.objects.get(pk=page.client.session["_auth_user_id"])):
        shown = showing(visit=visit)
    return page.client.post(url, {"page": page.hidden["page"]} | shown)


def test_complete_visit_completes_what_owes_nothing_and_names_the_rest(cast, visit, pages):
    page = pages(cast.ana, visit, "vcss")
    for name in build.FILLED["vcss"]:
        page.holds[f"vcss-right-{name}"] = ["0"]
    page.holds["vcss-left-pain"] = ["1"]
    page.send()
    response = press_complete(page, visit)
    text = response.content.decode()
    assert response.status_code == 422
    with user_scope(cast.ana):
        assert [record.entry.limb for record in Vcss.objects.all()] == ["right"]
    assert '<a href="#id_vcss-left-varicose_veins">' in text
    assert '<a href="#form-laboratory">Laboratory: Not started</a>' in text


def test_complete_visit_is_one_press_when_nothing_is_owed(cast, visit, pages):
    with user_scope(cast.ana):
        for entry in visit.entries.exclude(form="laboratory"):
            if entry.form == "ulcers":
                continue
            judged = UNPROPOSED if entry.form == "calcinosis" else {}
            build.form(cast.ana, visit, entry.form, entry.limb, **judged)
    page = pages(cast.ana, visit)
    page.holds |= {"laboratory-sampled_on": ["v"], PHOSPHATE: ["1.1"]}
    page.send()
    assert press_complete(page, visit).status_code == 302
    with user_scope(cast.ana):
        assert set(visit.entries.values_list("state", flat=True)) == {"complete"}


def test_an_unconfirmed_warning_is_owed(cast, visit, pages):
    page = pages(cast.ana, visit)
    page.holds |= {"laboratory-sampled_on": ["v"], "laboratory-calcium_total": ["4.5"]}
    page.send()
    assert "is unusual" in press_complete(page, visit).content.decode()
    assert entry_of(cast, visit).state == FormEntry.State.DRAFT


def test_why_an_unusual_value_is_right_goes_to_the_history(cast, visit, pages):
    page = pages(cast.ana, visit)
    calcium = "laboratory-calcium_total"
    page.holds |= {"laboratory-sampled_on": ["v"], calcium: ["4.5"]}
    page.send("complete")
    page = pages(cast.ana, visit)
    settled = {f"{calcium}__confirm": "on", f"{calcium}__because": "parathyroid adenoma known"}
    page.send(**settled)
    assert (
        "parathyroid adenoma known"
        in page.client.get(reverse("visit", args=[visit.pk])).content.decode()
    )
    assert page.send("complete", **settled).status_code == 302
    with user_scope(cast.ana):
        last = Change.objects.filter(label="crfs.laboratory").latest("id")
        assert last.reason == "Total calcium: parathyroid adenoma known"
        assert list(last.changes) == ["confirmed"]
    history = reverse("history", args=["crfs.laboratory", last.key])
    told = page.client.get(history).content.decode()
    assert "4.5 mmol/L: It is right" in told
    assert last.reason in told
    assert "adenoma" not in page.client.get(reverse("visit", args=[visit.pk])).content.decode()


# -- who else is there ----------------------------------------------------------------------------


def test_presence_names_the_others(cast, visit, pages):
    ana, hiro = pages(cast.ana, visit).client, pages(cast.hiro, visit).client
    url = reverse("presence", args=[visit.pk])
    assert ana.get(url).content.decode().strip() == ""
    assert "Ana Sato is also in this visit" in hiro.get(url).content.decode()
    assert "Hiro Mori is also in this visit" in ana.get(url).content.decode()


def test_discarding_through_the_action_says_stale(cast, visit):
    entry = entry_of(cast, visit)
    with user_scope(cast.ana), pytest.raises(actions.StaleError):
        actions.discard_draft(by=cast.ana, entry=entry, revision=entry.revision + 1)


# -- what is kept as a draft --------------------------------------------------------------------


def test_a_draft_keeps_the_day_and_the_code_that_were_meant(cast, visit, pages):
    page = pages(cast.ana, visit)
    yesterday = (cast.tokyo.today - timedelta(days=1)).isoformat()
    page.holds |= {"laboratory-sampled_on": ["-1"], PHOSPHATE: [".nd"]}
    page.send(script=True)
    draft = draft_of(cast, visit)
    assert draft["laboratory-sampled_on"] == [yesterday]
    assert (PHOSPHATE in draft, draft[f"{PHOSPHATE}__absent"]) == (False, ["not_done"])


def test_a_unit_without_its_number_is_no_answer(cast, visit, pages):
    """The page proposes the unit typed last; the script's request knows no last visit."""
    calcium = "laboratory-calcium_total"
    build.form(
        cast.ana,
        visit,
        "laboratory",
        calcium_total="2.445",
        calcium_total_typed="9.8",
        calcium_total_unit="mg/dL",
    )
    other = build.participant(cast.ana)
    later = build.attended(cast.ana, visit.participant, "M12")
    build.form(cast.ana, build.attended(cast.ana, other), "laboratory")
    page = pages(cast.ana, later)
    page.holds |= {f"{calcium}__unit": ["mg/dL"], CRP: ["4"]}
    answer = page.send(script=True)
    assert (answer.status_code, answer.json()["compare"].strip()) == (200, "")
    assert f"{calcium}__unit" not in draft_of(cast, later)
    text = page.client.get(reverse("visit", args=[later.pk])).content.decode()
    assert re.search(f'name="{calcium}__unit" value="mg/dL"[^>]* checked', text)


# -- what is computed ----------------------------------------------------------------------------


def test_totals_follow_what_is_typed_and_never_from_the_impossible(cast, visit, pages):
    page = pages(cast.ana, visit, "vcss")
    scores = {f"vcss-right-{name}": "1" for name in build.FILLED["vcss"]}
    derived = page.send(script=True, **scores).json()["derived"]
    assert "<dt>Total</dt><dd>10</dd>" in derived["vcss-right"]
    assert "<dd>not computable</dd>" in derived["vcss-left"]
    page = pages(cast.ana, visit, "laboratory")
    typed = {"laboratory-calcium_total": "9999999999", "laboratory-albumin": "40"}
    derived = page.send(script=True, **typed).json()["derived"]
    assert "<dt>Corrected calcium</dt><dd>not computable</dd>" in derived["laboratory"]
    typed["laboratory-calcium_total"] = "2,5"
    derived = page.send(script=True, **typed).json()["derived"]
    assert "<dt>Corrected calcium</dt><dd>2.5 mmol/L</dd>" in derived["laboratory"]


def test_what_only_saving_computes_is_not_shown_beside_another_weight(cast, visit, pages):
    build.form(cast.ana, visit, "history")
    later = build.attended(cast.ana, visit.participant, "M12")
    build.form(cast.ana, later, "body", weight_kg="80")
    page = pages(cast.ana, later, "body")
    assert (
        "Body mass index"
        in page.client.get(reverse("visit", args=[later.pk]))
        .content.decode()
        .split('id="form-body"')[1]
        .split("</section>")[0]
    )
    derived = page.send(script=True, **{"body-weight_kg": "120"}).json()["derived"]
    assert "Body mass index" not in derived["body"]
