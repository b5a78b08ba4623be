"""The synthetic cohort: reproducible, within every wall, and its truth can be found again."""

from collections import Counter
from datetime import date
from itertools import islice

import pytest
from django.core.management import CommandError, call_command

from registry.access.models import User
from registry.access.scope import scope
from registry.audit.models import Change
from registry.crfs.models import Body, Ceap, Villalta
from registry.imaging.models import Reading
from registry.participants.models import Identity, Participant
from registry.quality.checks import findings_of, keep_up
from registry.simulation.cohort import TRUTH, people
from registry.simulation.writing import sites, write
from registry.visits.models import FormEntry, Visit

pytestmark = pytest.mark.slow

TODAY = date(2026, 3, 1)


def test_the_same_seed_and_day_give_the_same_persons():
    first = list(people(7, 30, 4, TODAY))
    assert first == list(people(7, 30, 4, TODAY))
    assert first != list(people(8, 30, 4, TODAY))


def test_a_person_does_not_depend_on_how_many_are_drawn():
    assert list(islice(people(7, 1000, 4, TODAY), 20)) == list(people(7, 20, 4, TODAY))


def test_what_is_told_on_one_form_agrees_with_the_others():
    drawn = Counter()
    for person in people(5, 300, 4, TODAY):
        ulcers = {row["limb"] for row in person.rows("past_ulcer")}
        thromboses = {row["limb"] for row in person.rows("event") if row["kind"] == "dvt"}
        for leg in person.legs:
            for told in person.told("leg_history", leg.limb):
                assert told["previous_ulcer"] is (leg.limb in ulcers)
                thromboses |= {leg.limb} if told["previous_dvt"] else set()
            assert leg.limb in thromboses or not list(person.told("villalta", leg.limb))
        attended = [visit.attended_on for visit in person.visits if visit.attended_on]
        deaths = [row["occurred_on"] for row in person.rows("event") if row["kind"] == "death"]
        assert all(max(attended) < day <= TODAY for day in deaths)
        reasons = [row["reason"] for row in person.rows("end")]
        assert reasons in ([], ["died"] * len(deaths), ["lost_to_follow_up"])
        assert len(person.rows("contact")) == (3 if "lost_to_follow_up" in reasons else 0)
        told = [list(person.told("villalta", leg.limb)) for leg in person.legs]
        drawn += Counter(villalta=sum(map(len, told)), past_ulcer=len(ulcers))
        drawn += Counter(row["kind"] for row in person.rows("event"))
        drawn += Counter(reasons)
    every = {"villalta", "past_ulcer", "dvt", "death", "died", "lost_to_follow_up"}
    assert every <= drawn.keys()


@pytest.fixture
def written(committed):
    at = sites(2)
    cohort = list(people(3, 60, 4, TODAY))
    assert sum(write(cohort, at)) == 60
    ids = [site.pk for site in at]
    with scope(User.objects.system("import"), ids, identity_sites=ids):
        yield cohort


def test_what_is_written_is_what_was_drawn(written):
    assert Participant.objects.count() == Identity.objects.count() == 60
    forms = sum(len(visit.forms) for person in written for visit in person.visits)
    forms += sum(len(person.logs) for person in written)
    assert FormEntry.objects.filter(state="complete").count() == forms
    readings = sum(len(visit.readings) for person in written for visit in person.visits)
    assert Reading.objects.count() == readings > 0
    attended = sum(bool(visit.attended_on) for person in written for visit in person.visits)
    assert Visit.objects.filter(attended_on__isnull=False).count() == attended


def test_history_names_who_wrote(written):
    authors = set(Change.objects.values_list("by__email", flat=True))
    assert authors == {"import@system.invalid"}


def test_the_cohort_breaks_no_rule_of_the_registry(written):
    found = findings_of(Participant.objects.values_list("pk", flat=True)[:25])
    assert not found, [located.message for _participant, located in found.values()]


def test_what_records_derive_from_others_is_written_as_the_registry_keeps_it(written):
    for model in (Villalta, Body, Ceap):
        assert model.objects.exists()
    before = Change.objects.count()
    for number in Participant.objects.values_list("pk", flat=True):
        keep_up(number)
    assert Change.objects.count() == before


def test_bad_arguments_are_one_sentence(committed):
    for arguments in (["--participants", "0"], ["--sites", "0"], ["--years", "0"]):
        with pytest.raises(CommandError, match="Give at least 1 participant"):
            call_command("simulate", *arguments)


def test_the_truth_can_be_found_again():
    """Over 4,000 drawn persons the effects built in stand out of the records."""
    cvi = [person for person in people(1, 4000, 4, TODAY) if person.arm == "cvi"]

    def calcified(chosen):
        legs = [
            reading
            for person, leg in chosen
            for visit in person.visits[:1]
            for limb, reading in visit.readings.items()
            if limb == leg.limb
        ]
        return sum(reading["calcification"] == "present" for reading in legs) / len(legs)

    pairs = [(person, leg) for person in cvi for leg in person.legs]
    mild = calcified([pair for pair in pairs if pair[1].clinical in ("C0", "C2")])
    severe = calcified([pair for pair in pairs if pair[1].clinical == "C6"])
    assert severe > 2 * mild

    def healing_days(with_calcium):
        times = [
            (ulcer.healed - person.enrolled_on).days
            for person, leg in pairs
            for ulcer in leg.ulcers[:1]
            if ulcer.healed
            and bool(leg.calcified_from and leg.calcified_from <= person.enrolled_on)
            is with_calcium
            and (TODAY - person.enrolled_on).days > 1000
        ]
        return sorted(times)[len(times) // 2]

    slower = healing_days(True) / healing_days(False)
    assert slower == pytest.approx(1 / TRUTH.healing_ratio_if_calcified, rel=0.35)
