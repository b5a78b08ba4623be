"""Writes of screening, consent, enrolment and identity."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.scope import with_reason
from registry.core.errors import RefusedError
from registry.quality.actions import recheck

from . import rules, vault
from .models import Consent, ConsentVersion, Identity, Participant, Screening
from .vault import Person


class ParticipantError(RefusedError):
    """A participant's record cannot be written."""


class DuplicateError(ParticipantError):
    """The person may already be enrolled at this site."""

    def __init__(self, same: list[Participant]) -> None:
        self.same = same
        numbers = ", ".join(participant.study_number for participant in same)
        super().__init__(
            _(
                "This person may already be enrolled as %(numbers)s."
                " Open that participant, or confirm that this is another person."
            )
            % {"numbers": numbers}
        )


@transaction.atomic
def screen_person(*, by: User, site: Site, values: Mapping[str, Any]) -> Screening:
    """Record a screening; its ``reasons`` are empty when the person is eligible."""
    if values["screened_on"] > site.today:
        raise ParticipantError(_("The screening's date lies in the future."), "screened_on")
    if number := values.get("matched_to"):
        matched = Participant.objects.filter(site=site, study_number=number.strip().upper())
        if not matched.filter(arm="cvi").exists():
            raise ParticipantError(
                _("%(number)s is no CVI participant of this site.") % {"number": number},
                "matched_to",
            )
    reasons = rules.not_eligible_because(values)
    return Screening.objects.create(site=site, by=by, reasons=reasons, **values)


@transaction.atomic
def take_consent(
    *, by: User, screening: Screening, version: ConsentVersion, values: Mapping[str, Any]
) -> Consent:
    """Record a signed consent. Raises :class:`ParticipantError` when it cannot hold."""
    if not screening.eligible:
        raise ParticipantError(_("The person is not eligible: no consent is taken."))
    signed_on = values["signed_on"]
    if signed_on > screening.site.today:
        raise ParticipantError(_("The consent's date lies in the future."), "signed_on")
    if version.site_id != screening.site_id or not rules.in_force(version, signed_on):
        raise ParticipantError(
            _("Version %(version)s was not in force on that day.") % {"version": version},
            "signed_on",
        )
    return Consent.objects.create(screening=screening, version=version, by=by, **values)


@transaction.atomic
def enrol(
    *,
    by: User,
    screening: Screening,
    person: Person,
    values: Mapping[str, Any],
    another_person: bool = False,
) -> Participant:
    """Enrol a person screened and consented, with the next study number of the site.

    ``another_person`` confirms that a person found by the blind index is somebody else. Raises
    :class:`DuplicateError` or :class:`ParticipantError`.
    """
    site = screening.site
    enrolled_on = values["enrolled_on"]
    if not screening.eligible:
        raise ParticipantError(_("The person is not eligible."))
    if Participant.objects.filter(screening=screening).exists():
        raise ParticipantError(_("The person is already enrolled."))
    if enrolled_on > site.today:
        raise ParticipantError(_("The enrolment's date lies in the future."), "enrolled_on")
    if enrolled_on < screening.screened_on:
        raise ParticipantError(_("Enrolment lies before the screening."), "enrolled_on")
    _require_consent(screening, enrolled_on)
    _check_onset(screening.arm, person, values)
    age = rules.age_on(person.birth_date, enrolled_on)
    if not 18 <= age <= 120:
        raise ParticipantError(
            _("With this birth date the age at enrolment is %(age)s.") % {"age": age},
            "birth_date",
        )
    same = [
        identity.participant
        for identity in vault.find(by, person.indexes()).select_related("participant")
    ]
    if same and not another_person:
        raise DuplicateError(same)
    Site.objects.filter(pk=site.pk).update(last_number=F("last_number") + 1)
    running = Site.objects.values_list("last_number", flat=True).get(pk=site.pk)
    participant = Participant.objects.create(
        site=site,
        screening=screening,
        study_number=rules.study_number(site.prefix, running),
        arm=screening.arm,
        age_at_enrolment=age,
        by=by,
        **values,
    )
    vault.keep(participant, person)
    recheck(by=by, site_id=site.pk, participant_no=participant.pk)
    return participant


def _check_onset(arm: str, person: Person, values: Mapping[str, Any]) -> None:
    onset = values.get("onset_year")
    if arm == "cvi" and onset is None:
        raise ParticipantError(_("The year of onset is needed for CVI."), "onset_year")
    if onset is not None and not person.birth_date.year <= onset <= values["enrolled_on"].year:
        raise ParticipantError(
            _("The year of onset must lie between birth and enrolment."), "onset_year"
        )


@transaction.atomic
def withdraw_consent(
    *, by: User, participant: Participant, on: date, scope: str, reason: str = ""
) -> None:
    """Record a withdrawal on the newest consent without one; it takes effect at once."""
    if on > participant.site.today:
        raise ParticipantError(_("The withdrawal's date lies in the future."), "withdrawn_on")
    consents = Consent.objects.filter(screening=participant.screening_id)
    consent = consents.filter(withdrawn_on__isnull=True).order_by("-signed_on", "-id").first()
    if consent is None:
        raise ParticipantError(_("There is no consent left to withdraw."))
    if on < consent.signed_on:
        raise ParticipantError(_("The withdrawal lies before the consent."), "withdrawn_on")
    with with_reason(reason):
        consents.filter(pk=consent.pk).update(withdrawn_on=on, withdrawal_scope=scope)
        if scope == "erase_identity":
            vault.erase(Identity.objects.get(participant=participant))


def require_entry(participant: Participant) -> None:
    """Raise :class:`ParticipantError` unless consent allows entry today."""
    _require_consent(participant.screening, participant.site.today)


def _require_consent(screening: Screening, on: date) -> None:
    versions = ConsentVersion.objects.filter(site=screening.site_id)
    refused = rules.entry_refused_because(screening.consents.all(), versions, on)
    if refused:
        raise ParticipantError(refused)
