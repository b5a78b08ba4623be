"""Cross-checks over stored records: a query opens, names both places, and closes when mended."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.access.scope import user_scope
from registry.core.dictionary import items_of
from registry.crfs.actions import set_limits
from registry.crfs.models import Calcinosis, Ceap, Examination
from registry.quality.actions import recheck
from registry.quality.models import DataQuery
from registry.visits.actions import VisitError, add_forms
from registry.visits.crf import FORMS
from registry.visits.models import End, FormEntry

from .. import build
from ..imaging import films
from ..posting import Page
from ..ulcers import build as ulcers


@pytest.fixture
def participant(cast):
    return build.participant(cast.ana)


@pytest.fixture
def visit(cast, participant):
    return build.attended(cast.ana, participant)


def open_queries(by, *rules):
    with user_scope(by):
        return list(DataQuery.objects.unanswered().filter(rule__in=rules))


def fresh(cast, record):
    with user_scope(cast.ana):
        return type(record).objects.get(pk=record.pk)


# -- CEAP ------------------------------------------------------------------------------------


def test_c5_c6r_and_c2r_need_what_came_before(cast, participant, visit):
    earlier = ["c5_needs_a_closed_ulcer", "c2r_needs_an_earlier_treatment"]
    build.form(cast.ana, visit, "ceap", "right", clinical="C5")
    build.form(cast.ana, visit, "ceap", "left", clinical="C2r")
    assert {query.rule for query in open_queries(cast.ana, *earlier)} == set(earlier)
    build.row(cast.ana, participant, "past_ulcer", limb="left", onset_on="2015")
    build.row(cast.ana, participant, "venous_treatment", limb="right", kind="stripping")
    assert len(open_queries(cast.ana, *earlier)) == 2  # the other leg's
    build.row(cast.ana, participant, "past_ulcer", limb="right", onset_on="2015")
    build.row(
        cast.ana,
        participant,
        "treatment",
        kind="sclerotherapy",
        limb="both",
        started_on="2012",
        ongoing=False,
    )
    assert open_queries(cast.ana, *earlier) == []


def test_a_class_that_falls_without_a_treatment(cast, participant, visit):
    build.form(cast.ana, visit, "ceap", "right", clinical="C4b")
    later = build.attended(cast.ana, participant, "M03")
    build.form(cast.ana, later, "ceap", "right", clinical="C2")
    (query,) = open_queries(cast.ana, "class_fell_untreated")
    assert "Baseline" in query.message
    between = (visit.attended_on + timedelta(days=20)).isoformat()[:7]
    build.row(
        cast.ana,
        participant,
        "treatment",
        kind="compression_stocking",
        limb="right",
        started_on=between,
        ongoing=True,
    )
    assert open_queries(cast.ana, "class_fell_untreated") == []


def test_a_fall_is_asked_about_across_a_visit_that_could_not_judge_the_leg(
    cast, participant, visit
):
    build.form(cast.ana, visit, "ceap", "right", clinical="C6")
    between = build.attended(cast.ana, participant, "M03")
    unseen = {"clinical": "not_assessable"}
    build.form(cast.ana, between, "ceap", "right", clinical=None, absent=unseen)
    assert open_queries(cast.ana, "class_fell_untreated") == []
    later = build.attended(cast.ana, participant, "M06")
    build.form(cast.ana, later, "ceap", "right", clinical="C1")
    (query,) = open_queries(cast.ana, "class_fell_untreated")
    assert "C1 after C6 (Baseline" in query.message


def test_a_lone_corona_is_flagged_whichever_form_is_saved_first(cast, visit):
    ceap = build.form(cast.ana, visit, "ceap", "right", clinical="C4c")
    assert fresh(cast, ceap).c4c_alone is True
    build.form(cast.ana, visit, "examination", "right", eczema=True)
    assert fresh(cast, ceap).c4c_alone is False
    build.form(cast.ana, visit, "examination", "right", corona_phlebectatica=True)
    assert fresh(cast, ceap).c4c_alone is True
    other = build.form(cast.ana, visit, "ceap", "left", clinical="C4b")
    assert fresh(cast, other).c4c_alone is False


def test_ceap_is_carried_forward_between_yearly_visits(client, cast, participant, visit):
    build.form(cast.ana, visit, "ceap", "right", pathophysiology="Po")
    later = build.attended(cast.ana, participant, "M03")
    with user_scope(cast.ana):
        carried = Ceap.carried(later, "right")
        assert {name: one.value for name, one in carried.items()} == {
            "etiology": ["Ep"],
            "anatomy": ["As", "GSVa"],
            "pathophysiology": "Po",
            "investigation_level": "LII",
        }
        assert carried["etiology"].visit == visit
        assert Ceap.carried(later, "left") == {}
        assert Ceap.carried(visit, "right") == {}
    client.force_login(cast.ana)
    page = client.get(reverse("visit", args=[later.pk])).content.decode()
    assert page.count("carried forward from Baseline") == 4
    assert "Po obstruction" in page
    at_baseline = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "carried forward" not in at_baseline


# -- examination, laboratory, Villalta -------------------------------------------------------


def test_a_high_abpi_is_noticed_and_asked_about(client, cast, visit):
    high = {"abpi": Decimal("1.40"), "abpi_comparator": "="}
    build.form(cast.ana, visit, "examination", "right", **high)
    (query,) = open_queries(cast.ana, "abpi_high_but_compressible")
    assert (query.item, query.label) == ("abpi", "crfs.examination")
    build.form(cast.ana, visit, "examination", "right", incompressible=True, **high)
    assert open_queries(cast.ana, "abpi_high_but_compressible") == []
    client.force_login(cast.ana)
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert page.count("Above 1.3: the arteries may be calcified") == 1


def test_an_abpi_below_0_8_is_a_notice_and_no_query(cast, visit):
    low = build.form(
        cast.ana, visit, "examination", "left", abpi=Decimal("0.70"), abpi_comparator="="
    )
    assert set(fresh(cast, low).notices) == {"abpi"}
    with user_scope(cast.ana):
        assert not DataQuery.objects.filter(label="crfs.examination").exists()


def test_without_duplex_nothing_of_it_is_asked():
    items = items_of(Examination)
    after = list(items)[list(items).index("duplex_done") + 1 :]
    of_duplex = [name for name in after if not items[name].companion_of]
    assert of_duplex
    assert not any(items[name].asked({"duplex_done": False}) for name in of_duplex)
    assert all(items[name].asked({"duplex_done": True}) for name in of_duplex)


def test_an_open_venous_ulcer_makes_villalta_severe_until_it_closes(cast, visit):
    build.form(cast.ana, visit, "leg_history", "right", previous_dvt=True)
    villalta = build.form(cast.ana, visit, "villalta", "right", cramps=3, pain=3)
    assert fresh(cast, villalta).grade == "mild"
    ulcer = ulcers.ulcer(cast.ana, visit)
    ulcers.assessed(cast.ana, visit, ulcer)
    assert fresh(cast, villalta).grade == "severe"
    ulcers.assessed(cast.ana, visit, ulcer, "closed")
    assert fresh(cast, villalta).grade == "mild"


def test_an_unusual_corrected_calcium_is_asked_about(cast, visit):
    exact = {"calcium_total_comparator": "=", "albumin_comparator": "="}
    build.form(cast.ana, visit, "laboratory", calcium_total="2.90", albumin="21", **exact)
    assert len(open_queries(cast.ana, "corrected_calcium_unusual")) == 1
    build.form(cast.ana, visit, "laboratory", calcium_total="2.90", albumin="41", **exact)
    assert open_queries(cast.ana, "corrected_calcium_unusual") == []


def test_eq5d_answers_without_their_version_are_asked_about(cast, visit):
    form = partial(build.form, cast.ana, visit, "reported_outcomes", eq5d_version=None)
    form()
    (query,) = open_queries(cast.ana, "eq5d_incomplete")
    assert (query.label, query.item) == ("crfs.reportedoutcomes", "eq5d_version")
    form(absent={"eq5d_version": "unknown"})
    assert open_queries(cast.ana, "eq5d_incomplete") == []
    form(eq5d_version="3L", eq5d_profile="11114")
    (query,) = open_queries(cast.ana, "eq5d_of_other_version")
    assert query.item == "eq5d_profile"


# -- histories and logs ----------------------------------------------------------------------


def test_previous_ulcers_and_the_rows_agree(cast, participant, visit):
    build.form(cast.ana, visit, "leg_history", "right", previous_ulcer=True)
    (query,) = open_queries(cast.ana, "previous_ulcer_not_recorded")
    assert query.item == "previous_ulcer"
    build.row(cast.ana, participant, "past_ulcer", limb="right", onset_on="2015")
    assert open_queries(cast.ana, "previous_ulcer_not_recorded") == []
    build.form(cast.ana, visit, "leg_history", "right", previous_ulcer=False)
    assert len(open_queries(cast.ana, "previous_ulcer_denied")) == 1


def test_an_ulcer_recorded_here_that_began_before_is_a_previous_one(cast, visit):
    build.form(cast.ana, visit, "leg_history", "right", previous_ulcer=True)
    ulcers.ulcer(cast.ana, visit, "left")
    assert len(open_queries(cast.ana, "previous_ulcer_not_recorded")) == 1
    ulcers.ulcer(cast.ana, visit, "right")
    assert open_queries(cast.ana, "previous_ulcer_not_recorded") == []


def test_a_denied_thrombosis_and_the_events_agree(cast, participant, visit):
    build.form(cast.ana, visit, "leg_history", "right")
    dvt = {"kind": "dvt", "limb": "right"}
    day = visit.attended_on
    build.row(cast.ana, participant, "event", occurred_on=day, **dvt)
    build.row(cast.ana, participant, "event", occurred_on=day - timedelta(9), kind="cellulitis")
    assert open_queries(cast.ana, "previous_dvt_denied") == []
    build.row(cast.ana, participant, "event", occurred_on=day - timedelta(1), **dvt)
    (query,) = open_queries(cast.ana, "previous_dvt_denied")
    assert (query.label, query.item) == ("crfs.leghistory", "previous_dvt")
    build.form(cast.ana, visit, "leg_history", "right", previous_dvt=True)
    assert open_queries(cast.ana, "previous_dvt_denied") == []


def test_a_villalta_score_of_a_leg_without_a_thrombosis(cast, visit):
    history = partial(build.form, cast.ana, visit, "leg_history")
    history("left")
    history("right", previous_dvt=True)
    build.form(cast.ana, visit, "villalta", "right")
    assert open_queries(cast.ana, "villalta_without_dvt") == []
    history("right")
    (query,) = open_queries(cast.ana, "villalta_without_dvt")
    assert (query.label, query.item) == ("crfs.leghistory", "previous_dvt")
    assert "Baseline" in query.message


def test_a_denied_dialysis_and_the_treatments_agree(cast, participant, visit):
    build.form(cast.ana, visit, "history")
    row = partial(build.row, cast.ana, participant, "treatment", ongoing=True)
    row(kind="bisphosphonate", started_on="2010")
    row(kind="dialysis", started_on=str(visit.attended_on))
    assert open_queries(cast.ana, "dialysis_denied") == []
    row(kind="dialysis", started_on="2010")
    (query,) = open_queries(cast.ana, "dialysis_denied")
    assert (query.label, query.item) == ("crfs.history", "dialysis")
    assert "31 Dec 2010" in query.message
    build.form(cast.ana, visit, "history", dialysis=True)
    assert open_queries(cast.ana, "dialysis_denied") == []


def test_a_review_and_the_rows_entered(cast, participant, visit):
    answers = {"treatment": "entries_made"}
    build.form(cast.ana, visit, "log_review", **answers)
    assert [query.item for query in open_queries(cast.ana, "review_without_entries")] == [
        "treatment"
    ]
    build.row(cast.ana, participant, "treatment", kind="other", started_on="2020", ongoing=True)
    assert open_queries(cast.ana, "review_without_entries") == []
    later = build.attended(cast.ana, participant, "M03")
    build.form(cast.ana, later, "log_review")
    assert open_queries(cast.ana, "entries_not_reviewed") == []
    build.row(
        cast.ana,
        participant,
        "treatment",
        kind="other",
        started_on="2020",
        ongoing=True,
        done_on=later.attended_on,
    )
    (query,) = open_queries(cast.ana, "entries_not_reviewed")
    assert query.item == "treatment"


@pytest.mark.parametrize(
    ("code", "values", "item"),
    [
        ("treatment", {"kind": "other", "started_on": "2999", "ongoing": True}, "started_on"),
        (
            "treatment",
            {"kind": "other", "started_on": "2020", "ongoing": False, "stopped_on": "early"},
            "stopped_on",
        ),
        ("past_ulcer", {"limb": "right", "onset_on": "1901"}, "onset_on"),
        (
            "past_ulcer",
            {"limb": "right", "onset_on": "2019", "reported_closed_on": "2018"},
            "reported_closed_on",
        ),
        ("local_damage", {"limb": "right", "kind": "burn", "year": 2999}, "year"),
    ],
)
def test_impossible_days_are_refused_at_the_item(cast, participant, code, values, item):
    if values.get("stopped_on"):
        values = values | {"stopped_on": participant.enrolled_on.replace(year=2019)}
    with pytest.raises(VisitError) as refused:
        build.row(cast.ana, participant, code, **values)
    assert refused.value.item == item
    with user_scope(cast.ana):
        assert not FormEntry.objects.filter(form=code, state="complete").exists()


# -- events and the end ----------------------------------------------------------------------


def test_an_amputation_and_the_leg_check_agree(cast, participant, visit):
    build.form(cast.ana, visit, "leg_check", "right")
    later = build.attended(cast.ana, participant, "M03")
    build.form(cast.ana, later, "leg_check", "right", leg_status="amputated_below_knee")
    assert len(open_queries(cast.ana, "amputation_without_event")) == 1
    build.row(
        cast.ana,
        participant,
        "event",
        kind="amputation_below_knee",
        limb="right",
        occurred_on=later.attended_on - timedelta(days=9),
    )
    assert open_queries(cast.ana, "amputation_without_event") == []
    build.form(cast.ana, later, "leg_check", "right")
    (query,) = open_queries(cast.ana, "amputation_not_in_leg_check")
    assert query.label == "visits.legcheck"
    assert "3 months" in query.message


def test_a_death_before_a_visit_is_asked_about(cast, participant, visit):
    died_on = visit.attended_on + timedelta(days=30)
    death = build.row(cast.ana, participant, "event", kind="death", occurred_on=died_on)
    assert open_queries(cast.ana, "visit_after_death") == []
    build.attended(cast.ana, participant, "M03")
    build.row(cast.ana, participant, "contact", attempted_on=died_on, outcome="not_reached")
    (query,) = open_queries(cast.ana, "visit_after_death")
    assert (query.label, query.key) == ("visits.event", death.pk)
    assert "3 months" in query.message


def reasons_offered(cast, participant):
    with user_scope(cast.ana):
        entry = FormEntry(participant=participant, form="end")
        return dict(End.offered(FORMS["end"].items(), entry)["reason"].choices)


def test_lost_to_follow_up_is_refused_before_three_attempts(cast, participant, visit):
    on = participant.enrolled_on + timedelta(days=300)
    for attempt in range(3):
        with pytest.raises(VisitError, match="needs 3") as refused:
            build.row(cast.ana, participant, "end", ended_on=on, reason="lost_to_follow_up")
        assert refused.value.item == "reason"
        assert "lost_to_follow_up" not in reasons_offered(cast, participant)
        build.row(
            cast.ana,
            participant,
            "contact",
            attempted_on=on - timedelta(days=9 - attempt),
            outcome="not_reached",
        )
    assert "lost_to_follow_up" in reasons_offered(cast, participant)
    build.row(cast.ana, participant, "end", ended_on=on, reason="lost_to_follow_up")


# -- calcinosis ------------------------------------------------------------------------------


def normal_laboratory(cast, visit, days_before=0):
    sampled_on = visit.attended_on - timedelta(days=days_before)
    with user_scope(cast.ana):
        for item, high in (("calcium_total", "2.6"), ("phosphate", "1.5")):
            set_limits(
                by=cast.ana,
                site=cast.tokyo,
                item=item,
                valid_from=sampled_on,
                low=None,
                high=Decimal(high),
            )
    build.form(
        cast.ana,
        visit,
        "laboratory",
        sampled_on=sampled_on,
        calcium_total="2.30",
        calcium_total_comparator="=",
        phosphate="1.10",
        phosphate_comparator="=",
    )


def test_the_proposal_is_kept_with_what_the_investigator_says(client, cast, visit):
    normal_laboratory(cast, visit)
    build.form(cast.ana, visit, "ceap", "right", clinical="C4b")
    films.graded(cast.ana, cast.chen, visit, calcification="present")
    client.force_login(cast.ana)
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert page.count("Proposed by the registry: <strong>dystrophic</strong>") == 1
    typed = Page(client, visit, "calcinosis").send(
        script=True, **{"calcinosis-right-proposal_confirmed": "True"}
    )
    right = typed.json()["derived"]["calcinosis-right"]
    assert right == "<div><dt>Type</dt><dd>dystrophic</dd></div>"
    agreed = build.form(cast.ana, visit, "calcinosis", "right")
    assert fresh(cast, agreed).calcinosis_type == "dystrophic"
    override = {"overridden_to": "idiopathic", "basis": "clinical", "override_reason": "no CVI"}
    build.form(cast.ana, visit, "calcinosis", "right", proposal_confirmed=False, **override)
    stored = fresh(cast, agreed)
    assert (stored.proposed, stored.calcinosis_type) == ("dystrophic", "idiopathic")
    assert open_queries(cast.ana, "proposal_changed") == []


def test_a_confirmed_type_is_asked_about_when_the_records_move_on(cast, participant, visit):
    normal_laboratory(cast, visit)
    form = partial(build.form, cast.ana, visit, "calcinosis", "right")
    with pytest.raises(VisitError, match="nobody could judge this leg") as refused:
        form()  # nobody has looked yet
    assert refused.value.item == "proposal_confirmed"
    coded = {"proposal_confirmed": "not_assessable"}
    early = form(proposal_confirmed=None, absent=coded)
    assert fresh(cast, early).proposed is None
    films.graded(cast.ana, cast.chen, visit, calcification="present")
    build.form(cast.ana, visit, "ceap", "right", clinical="C2")
    (query,) = open_queries(cast.ana, "proposal_changed")
    assert (query.label, query.item) == ("crfs.calcinosis", "proposal_confirmed")
    assert "idiopathic" in query.message
    build.form(cast.ana, visit, "calcinosis", "right")
    assert open_queries(cast.ana, "proposal_changed") == []
    build.row(cast.ana, participant, "local_damage", limb="right", kind="burn", year=2001)
    (query,) = open_queries(cast.ana, "proposal_changed")
    assert "dystrophic" in query.message


@pytest.mark.parametrize(
    ("log", "values", "proposed"),
    [
        (None, {}, "idiopathic"),
        ("treatment", {"kind": "parenteral_calcium_phosphate", "started_on": "2010"}, "iatrogenic"),
        ("treatment", {"kind": "dialysis", "started_on": "2010"}, "indeterminate"),
        (
            "local_damage",
            {"limb": "right", "kind": "extravasation", "zones": ["proximal_medial"]},
            "iatrogenic",
        ),
        (
            "local_damage",
            {"limb": "right", "kind": "extravasation", "zones": ["distal_lateral"]},
            "dystrophic",
        ),
        ("local_damage", {"limb": "left", "kind": "burn"}, "idiopathic"),
    ],
)
def test_the_facts_reach_the_rule(cast, participant, visit, log, values, proposed):
    normal_laboratory(cast, visit)
    films.graded(
        cast.ana, cast.chen, visit, calcification="present", zone_proximal_medial="present"
    )
    if log:
        ongoing = {"ongoing": True} if log == "treatment" else {}
        build.row(cast.ana, participant, log, **ongoing, **values)
    with user_scope(cast.ana):
        assert Calcinosis.recorded(visit, "right") == {"proposed": proposed}
        assert Calcinosis.recorded(visit, "left") == {"proposed": None}


IMAGED = ("other_imaging", {"kind": "ct", "calcification": "present", "zones": ["distal_medial"]})
NOTHING_IMAGED = ("other_imaging", {"kind": "ct", "calcification": "absent"})
IN_THE_WALL = ("biopsy", {"calcium_deposits": False, "vessel_wall_calcification": True})
NECROSIS = ("examination", {"skin_necrosis": True})
EXTRAVASATION = (
    "local_damage",
    {"limb": "right", "kind": "extravasation", "zones": ["distal_medial"]},
)
CORONA = ("ceap", {"clinical": "C4c"})


@pytest.mark.parametrize(
    ("facts", "proposed"),
    [
        ([("biopsy", {"calcium_deposits": False})], "none"),
        ([("biopsy", {"calcium_deposits": True})], "idiopathic"),
        ([("biopsy", {"calcium_deposits": True}), EXTRAVASATION], "iatrogenic"),
        ([IN_THE_WALL], "idiopathic"),
        ([IN_THE_WALL, NECROSIS], "calciphylaxis"),
        ([IN_THE_WALL, NECROSIS, EXTRAVASATION], "calciphylaxis"),
        ([IMAGED, NECROSIS], "idiopathic"),
        ([NOTHING_IMAGED], "none"),
        ([IMAGED], "idiopathic"),
        ([IMAGED, EXTRAVASATION], "iatrogenic"),
        ([("examination", {"extruding_material": False})], None),
        ([("examination", {"extruding_material": True})], "idiopathic"),
        ([IMAGED, ("history", {"rheumatoid_arthritis": True})], "dystrophic"),
        ([IMAGED, ("history", {"other_connective_tissue": True})], "dystrophic"),
        ([IMAGED, ("history", {"malignancy": True})], "idiopathic"),
        ([IMAGED, ("history", {"dialysis": True})], "indeterminate"),
        ([IMAGED, CORONA], "idiopathic"),
        ([IMAGED, CORONA, ("examination", {"pigmentation": True})], "dystrophic"),
        ([IMAGED, ("ceap", {"clinical": "C4a"})], "dystrophic"),
    ],
)
def test_each_form_is_heard(cast, participant, visit, facts, proposed):
    """Without a film: biopsy, other imaging and examination show calcification by themselves."""
    normal_laboratory(cast, visit)
    asked_for = {
        "biopsy": {"taken_on": visit.attended_on, "location": ["distal_medial"]},
        "other_imaging": {"imaged_on": visit.attended_on},
    }
    with user_scope(cast.ana):
        add_forms(by=cast.ana, visit=visit, forms=list(asked_for))
    for form, values in facts:
        if form == "local_damage":
            build.row(cast.ana, participant, form, **values)
        else:
            limb = "" if form == "history" else "right"
            build.form(cast.ana, visit, form, limb, **asked_for.get(form, {}), **values)
    with user_scope(cast.ana):
        assert Calcinosis.recorded(visit, "right") == {"proposed": proposed}
        assert Calcinosis.recorded(visit, "left") == {"proposed": None}


@pytest.mark.parametrize(("days_before", "proposed"), [(90, "idiopathic"), (91, "indeterminate")])
def test_a_laboratory_older_than_90_days_says_nothing(cast, visit, days_before, proposed):
    normal_laboratory(cast, visit, days_before)
    films.graded(cast.ana, cast.chen, visit, calcification="present")
    with user_scope(cast.ana):
        assert Calcinosis.recorded(visit, "right") == {"proposed": proposed}


def test_a_phlebolith_is_no_calcification_and_an_extrusion_is_one(cast, visit):
    films.graded(cast.ana, cast.chen, visit, phlebolith=True, arterial_calcification=True)
    with user_scope(cast.ana):
        assert Calcinosis.recorded(visit, "right") == {"proposed": "none"}
    ulcer = ulcers.ulcer(cast.ana, visit)
    ulcers.assessed(cast.ana, visit, ulcer, extruded_calcium=True)
    with user_scope(cast.ana):
        assert Calcinosis.recorded(visit, "right") == {"proposed": "indeterminate"}


@pytest.mark.slow
def test_the_checks_take_as_many_queries_for_many_visits_as_for_one(cast):
    enrolled_on = cast.tokyo.today - timedelta(days=1200)
    participant = build.participant(cast.ana, enrolled_on=enrolled_on)

    def count():
        with user_scope(cast.ana), CaptureQueriesContext(connection) as captured:
            recheck(by=cast.ana, site_id=participant.site_id, participant_no=participant.pk)
        return len(captured)

    def fill(visit):
        """Every form of the visit, a row in every log, an ulcer and a graded film a leg."""
        on = visit.attended_on
        row = partial(build.row, cast.ana, participant, done_on=on)
        row("treatment", kind="dialysis", started_on="2015", ongoing=True)
        row("event", kind="cellulitis", limb="left", occurred_on=on)
        row("contact", attempted_on=on, outcome="reached")
        row("local_damage", limb="right", kind="burn", year=2001)
        row("venous_treatment", limb="right", kind="stripping", segments=["SSV"], year=2001)
        row("past_ulcer", limb="right", onset_on="2015")
        if visit.code == "BL":
            for limb in ("right", "left"):
                build.form(cast.ana, visit, "leg_history", limb, previous_dvt=True)
        for limb in ("right", "left"):
            films.graded(cast.ana, cast.chen, visit, limb, calcification="present")
            ulcers.assessed(cast.ana, visit, ulcers.ulcer(cast.ana, visit, limb))
        with user_scope(cast.ana):
            empty = list(visit.entries.filter(state="empty").values_list("form", "limb"))
        for form, limb in empty:
            if form != "ulcers":
                build.form(cast.ana, visit, form, limb)
        with user_scope(cast.ana):
            left = visit.entries.filter(state="empty").values_list("form", flat=True)
            assert set(left) <= {"ulcers"}  # of the ulcers of the visit before

    for code in ("BL", "M12"):
        fill(build.attended(cast.ana, participant, code))
    before = count()
    for code in ("M24", "M36"):
        fill(build.attended(cast.ana, participant, code))
    assert count() == before
