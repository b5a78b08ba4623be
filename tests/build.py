"""One builder per noun, through the same actions that the pages use.

Builders open the scope of ``by`` themselves; what is not said gets a plausible value.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import user_scope
from registry.core.dictionary import Kind, items_of
from registry.crfs.models import Examination, History, LegHistory
from registry.crfs.villalta import SIGNS, SYMPTOMS
from registry.participants import actions as participants
from registry.participants.models import Consent, ConsentVersion, Participant, Screening
from registry.participants.vault import Person
from registry.visits import actions as visits
from registry.visits import attesting
from registry.visits.crf import FORMS, Crf
from registry.visits.models import FormEntry, Visit

_numbers = count(1)


def site_of(by: User) -> Site:
    return by.memberships.get(site__isnull=False).site


def screening(by: User, **values: Any) -> Screening:
    site = site_of(by)
    values = {
        "screened_on": site.today - timedelta(days=400),
        "adult": True,
        "arm": "cvi",
        "cvi_diagnosed": True if values.get("arm", "cvi") == "cvi" else None,
        "venous_status": "present",
        "able_to_consent": True,
        "pregnant": False,
    } | values
    with user_scope(by):
        return participants.screen_person(by=by, site=site, values=values)


def consent(by: User, screening: Screening, **values: Any) -> Consent:
    values = {
        "signed_on": screening.screened_on,
        "allows_images": True,
        "allows_sharing": True,
        "allows_contact": True,
    } | values
    with user_scope(by):
        version = ConsentVersion.objects.filter(site=screening.site).first()
        assert version
        return participants.take_consent(by=by, screening=screening, version=version, values=values)


def person(**values: Any) -> Person:
    values = {
        "family_name": f"Family{next(_numbers)}",
        "given_name": "Given",
        "birth_date": date(1955, 6, 1),
    } | values
    return Person(**values)


def participant(by: User, *, enrolled_on: date | None = None, **values: Any) -> Participant:
    """A participant enrolled at the site of ``by``, with visits planned."""
    screened = screening(
        by,
        arm=values.pop("arm", "cvi"),
        **({"screened_on": enrolled_on} if enrolled_on else {}),
    )
    consent(by, screened, **values.pop("consent", {}))
    who = values.pop("person", None) or person()
    values = {
        "sex": "female",
        "enrolled_on": enrolled_on or screened.screened_on,
        "onset_year": 2010 if screened.arm == "cvi" else None,
        "onset_month": None,
        "recruited_in": ["dermatology"],
    } | values
    with user_scope(by):
        return visits.enrol_and_plan(by=by, screening=screened, person=who, values=values)


def attended(by: User, participant: Participant, code: str = "BL", on: date | None = None) -> Visit:
    """The participant's visit ``code``, attended on its target day or on ``on``."""
    with user_scope(by):
        visit = Visit.objects.select_related("participant__site").get(
            participant=participant, code=code
        )
        visits.attend_visit(by=by, visit=visit, on=on or visit.target_on)
        return visit


def no(model: type[Crf]) -> dict[str, bool]:
    """ "No" to every yes/no that is required."""
    return {
        name: False
        for name, item in items_of(model).items()
        if item.kind == Kind.YES_NO and item.required
    }


FILLED: dict[str, dict[str, Any]] = {
    "history": {
        "height_cm": "170",
        "weight_kg": "80",
        "smoking": "never",
        **no(History),
    },
    "leg_history": {"joint_replacement": ["none"], **no(LegHistory)},
    "examination": {"pulses": "normal", "oedema": 1, **no(Examination)},
    "body": {"weight_kg": "80"},
    "villalta": dict.fromkeys([*SYMPTOMS, *SIGNS], 0),
    "log_review": dict.fromkeys(
        ["treatment", "event", "local_damage", "venous_treatment", "past_ulcer"], "nothing_new"
    ),
    "calcinosis": {"proposal_confirmed": True},
    "reported_outcomes": {
        "pain_nrs": 2,
        "eq5d_profile": "21111",
        "eq5d_version": "5L",
        "eq5d_vas": 70,
    },
    "leg_check": {"leg_status": "present", "any_open_ulcer": False},
    "ceap": {
        "ceap_version": "2020",
        "clinical": "C4a",
        "symptomatic": True,
        "etiology": ["Ep"],
        "anatomy": ["As", "GSVa"],
        "pathophysiology": "Pr",
        "investigation_level": "LII",
    },
    "vcss": dict.fromkeys(
        [
            "pain",
            "varicose_veins",
            "oedema",
            "pigmentation",
            "inflammation",
            "induration",
            "active_ulcers",
            "ulcer_duration",
            "ulcer_size",
            "compression",
        ],
        0,
    ),
    "laboratory": {},
    "xray": {
        "performed": True,
        "purpose": "study",
        "pregnancy_excluded": True,
        "views": ["ap", "lateral"],
        "thirds_covered": ["proximal", "middle", "distal"],
        "modality": "cr",
    },
}


# The day of the visit beside ``done_on``.
DAYS = {"laboratory": "sampled_on", "xray": "acquired_on"}


def answers(visit: Visit, code: str) -> dict[str, Any]:
    """Plausible answers to what the visit asks of a form: a form's other sections stay empty."""
    asked = next(one for one in visit.asked if one.form == code)
    items = FORMS[code].items(asked.sections)
    filled = {name: value for name, value in FILLED.get(code, {}).items() if name in items}
    days = dict.fromkeys(filter(None, ["done_on", DAYS.get(code)]), visit.attended_on)
    return days | filled


def form(
    by: User,
    visit: Visit,
    code: str,
    limb: str = "",
    occurrence: str = "",
    absent: dict[str, str] | None = None,
    **values: Any,
) -> Crf:
    """A completed form of an attended visit."""
    with user_scope(by):
        entry = visit.entries.get(form=code, limb=limb, occurrence=occurrence)
        return visits.save_form(
            by=by,
            entry=entry,
            values=answers(visit, code) | values,
            absent=absent or {},
            revision=entry.revision,
        )


def row(
    by: User,
    participant: Participant,
    code: str,
    absent: dict[str, str] | None = None,
    **values: Any,
) -> Crf:
    """A completed row of a log."""
    with user_scope(by):
        entry = visits.add_row(by=by, participant=participant, form=code)
        return visits.save_form(
            by=by,
            entry=entry,
            values={"done_on": participant.enrolled_on} | values,
            absent=absent or {},
            revision=entry.revision,
        )


def completed(by: User, participant: Participant, code: str = "BL") -> Visit:
    """An attended visit with every form complete; its rows are written without their checks."""
    visit = attended(by, participant, code)
    with user_scope(by):
        for entry in visit.entries.all():
            record = FORMS[entry.form].model(entry=entry, **answers(visit, entry.form))
            record.before_saving()
            record.save()
        visit.entries.update(state=FormEntry.State.COMPLETE)
    return visit


def locked(by: User, visit: Visit) -> None:
    """Lock a visit's forms as they are, signed or not."""
    with user_scope(by):
        visit.entries.update(locked_at=timezone.now(), locked_by=by)


def signed(by: User, participant: Participant, code: str = "BL") -> Visit:
    """A complete visit, signed by ``by``."""
    visit = completed(by, participant, code)
    with user_scope(by):
        attesting.sign_visit(by=by, visit=visit, meaning="reviewed")
    return visit
