"""Writing a synthetic cohort: in bulk, a few hundred persons at a time, within every wall.

Triggers, constraints, policies and history hold as for entered data; only the pages' questions
are not asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice

from django.db import transaction
from django.db.models import F

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.imaging.models import Reading, Xray
from registry.participants import vault
from registry.participants.models import Consent, ConsentVersion, Identity, Participant, Screening
from registry.participants.rules import age_on, study_number
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.crf import FORMS, Crf, LimbCrf, VisitCrf
from registry.visits.models import FormEntry, Visit
from registry.visits.rules import window
from registry.visits.schedule import CURRENT

from .cohort import LIMBS, Form, Person
from .cohort import Visit as SimulatedVisit

CHUNK = 200

# Prefix, name, time zone, language; more sites than these are numbered.
SITES = (
    ("TKY", "Tokyo", "Asia/Tokyo", "ja"),
    ("RIO", "Rio de Janeiro", "America/Sao_Paulo", "pt-br"),
    ("LON", "London", "Europe/London", "en"),
    ("AKL", "Auckland", "Pacific/Auckland", "en"),
    ("KTM", "Kathmandu", "Asia/Kathmandu", "en"),
    ("LAX", "Los Angeles", "America/Los_Angeles", "en"),
)


def sites(count: int) -> list[Site]:
    """The first ``count`` sites, made where they are missing, with a consent version in force."""
    found = []
    with scope(User.objects.system("import"), []):
        for number in range(count):
            prefix, name, zone, language = (
                SITES[number]
                if number < len(SITES)
                else (f"S{number + 1:02d}", f"Site {number + 1}", "UTC", "en")
            )
            site, _made = Site.objects.get_or_create(
                prefix=prefix, defaults={"name": name, "time_zone": zone, "language": language}
            )
            found.append(site)
    with scope(User.objects.system("import"), [site.pk for site in found]):
        for site in found:
            if not ConsentVersion.objects.filter(site=site).exists():
                ConsentVersion.objects.create(
                    site=site, code="1.0", in_force_from=date(2000, 1, 1), mandatory=True
                )
    return found


def write(people: Iterable[Person], at: list[Site]) -> Iterator[int]:
    """Write the persons, by turns at each site; yields how many were written after each chunk."""
    people = iter(people)
    number = 0
    while chunk := list(islice(people, CHUNK)):
        shares: dict[int, list[Person]] = defaultdict(list)
        for person in chunk:
            shares[number % len(at)].append(person)
            number += 1
        with transaction.atomic():
            for turn, share in shares.items():
                _write_at(at[turn], share)
        yield len(chunk)


def _write_at(site: Site, people: list[Person]) -> None:
    by = User.objects.system("import")
    with scope(by, [site.pk], identity_sites=[site.pk]):
        participants = _participants(site, by, people)
        visits = Visit.objects.bulk_create(
            Visit(
                participant=participant,
                code=visit.planned.code,
                attended_on=visit.attended_on,
                missed_because=visit.missed_because,
                **vars(window(visit.planned, person.enrolled_on)),
            )
            for participant, person in zip(participants, people, strict=True)
            for visit in person.visits
        )
        captured = [visit for person in people for visit in person.visits]
        ulcers = _ulcers(by, participants, people)
        forms: list[tuple[FormEntry, Form]] = []
        entries: list[FormEntry] = []
        for row, visit in zip(visits, captured, strict=True):
            filled = {(form.code, form.limb, form.occurrence): form for form in visit.forms}
            # Every place of the plan has its entry.
            for place in dict.fromkeys([*_places(visit, row.participant.arm), *filled]):
                form = filled.get(place)
                entry = FormEntry(
                    participant=row.participant,
                    visit=row,
                    form=place[0],
                    limb=place[1],
                    occurrence=place[2],
                    state=FormEntry.State.COMPLETE if form else FormEntry.State.EMPTY,
                    revision=1 if form else 0,
                )
                entries.append(entry)
                if form:
                    forms.append((entry, form))
        for participant, person in zip(participants, people, strict=True):
            for told in person.logs:
                entry = FormEntry(
                    participant=participant,
                    form=told.code,
                    occurrence=told.occurrence,
                    state=FormEntry.State.COMPLETE,
                    revision=1,
                )
                entries.append(entry)
                forms.append((entry, told))
        FormEntry.objects.bulk_create(entries)
        _records(forms, ulcers)
        xrays = {
            (xray.entry.visit_id, xray.entry.limb): xray
            for xray in Xray.objects.filter(entry__in=entries).select_related("entry")
        }
        Reading.objects.bulk_create(
            Reading(xray=xray, reader=by, read_on=xray.acquired_on, **values)
            for row, visit in zip(visits, captured, strict=True)
            for limb, values in visit.readings.items()
            if (xray := xrays.get((row.pk, limb)))
        )


def _places(visit: SimulatedVisit, arm: str) -> Iterator[tuple[str, str, str]]:
    """The plan's places; of a form with a rule of its own only those that were filled."""
    for asked in CURRENT.forms(visit.planned.code, arm):
        model = FORMS[asked.form].model
        if "places" in vars(model):
            continue
        if issubclass(model, LimbCrf):
            yield from ((asked.form, limb, "") for limb in LIMBS)
        elif issubclass(model, VisitCrf):
            yield (asked.form, "", "")


def _records(forms: list[tuple[FormEntry, Form]], ulcers: dict[tuple[int, str], Ulcer]) -> None:
    rows: dict[type[Crf], list[Crf]] = defaultdict(list)
    for entry, form in forms:
        model = FORMS[form.code].model
        record = model(entry=entry, absent=form.absent, **form.values)
        if isinstance(record, UlcerAssessment):
            record.ulcer = ulcers[entry.participant_id, form.occurrence]
        rows[model].append(record)
    for model, records in rows.items():
        model.objects.bulk_create(records)


def _ulcers(
    by: User, participants: list[Participant], people: list[Person]
) -> dict[tuple[int, str], Ulcer]:
    """The ulcers that somebody saw, by participant and label."""
    written = Ulcer.objects.bulk_create(
        Ulcer(
            participant=participant,
            limb=ulcer.limb,
            label=ulcer.label,
            location=[ulcer.location],
            onset_on=f"{ulcer.onset:%Y-%m}",
            ulcer_cause="venous",
            recorded_on=ulcer.recorded_on,
            by=by,
        )
        for participant, person in zip(participants, people, strict=True)
        for leg in person.legs
        for ulcer in leg.ulcers
        if ulcer.recorded_on
    )
    return {(ulcer.participant_id, ulcer.label): ulcer for ulcer in written}


def _participants(site: Site, by: User, people: list[Person]) -> list[Participant]:
    """Screenings, consents, participants and identities, with the site's next numbers."""
    screenings = Screening.objects.bulk_create(
        Screening(
            site=site,
            by=by,
            screened_on=person.enrolled_on,
            adult=True,
            arm=person.arm,
            cvi_diagnosed=True if person.arm == "cvi" else None,
            venous_status="present" if person.arm == "cvi" else "not_examined",
            control_reason="knee_osteoarthrosis" if person.arm == "control" else None,
            able_to_consent=True,
            pregnant=False,
        )
        for person in people
    )
    version = ConsentVersion.objects.filter(site=site).order_by("-in_force_from")[0]
    Consent.objects.bulk_create(
        Consent(
            screening=screening,
            version=version,
            by=by,
            signed_on=person.enrolled_on,
            allows_images=True,
            allows_sharing=True,
            allows_contact=True,
            withdrawn_on=person.withdrawn[0] if person.withdrawn else None,
            withdrawal_scope=person.withdrawn[1] if person.withdrawn else None,
        )
        for screening, person in zip(screenings, people, strict=True)
    )
    Site.objects.filter(pk=site.pk).update(last_number=F("last_number") + len(people))
    last = Site.objects.values_list("last_number", flat=True).get(pk=site.pk)
    participants = Participant.objects.bulk_create(
        Participant(
            site=site,
            by=by,
            screening=screening,
            study_number=study_number(site.prefix, number),
            arm=person.arm,
            sex=person.sex,
            age_at_enrolment=age_on(person.birth_date, person.enrolled_on),
            enrolled_on=person.enrolled_on,
            onset_year=person.onset_year,
            recruited_in=person.recruited_in,
        )
        for number, screening, person in zip(
            range(last - len(people) + 1, last + 1), screenings, people, strict=True
        )
    )
    Identity.objects.bulk_create(
        vault.sealed(
            participant,
            vault.Person(
                family_name=person.family_name,
                given_name=person.given_name,
                birth_date=person.birth_date,
                hospital_number=f"H{participant.study_number}",
            ),
        )
        for participant, person in zip(participants, people, strict=True)
    )
    return participants
