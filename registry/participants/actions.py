"""Writes of screening, consent, enrolment and identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.scope import with_reason
from registry.core.encryption import SealedError
from registry.core.errors import RefusedError
from registry.core.numbers import UnreadableError
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
    if values.get("matched_to"):
        values = {**values, "matched_to": _matched_case(site, values["matched_to"])}
    reasons = rules.not_eligible_because(values)
    return Screening.objects.create(site=site, by=by, reasons=reasons, **values)


def _matched_case(site: Site, typed: str) -> str:
    """The whole study number of the CVI participant that was typed."""
    try:
        matched = (
            Participant.objects.numbered(typed, [site.pk]).filter(site=site, arm="cvi").first()
        )
    except UnreadableError as error:
        raise ParticipantError(str(error), "matched_to") from error
    if matched is None:
        raise ParticipantError(
            _("%(number)s is no CVI participant of this site.") % {"number": typed.strip()},
            "matched_to",
        )
    return matched.study_number


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
    if screening.consents.filter(version=version, signed_on=signed_on).exists():
        raise ParticipantError(_("This consent is recorded already."), "signed_on")
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
    # Taken first: whoever enrols at this site meanwhile waits, and is seen by the checks below.
    site = Site.objects.select_for_update().get(pk=screening.site_id)
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
    if screening.arm == "cvi" and values.get("onset_year") is None:
        raise ParticipantError(_("The year of onset is needed for CVI."), "onset_year")
    age = _checked_age(person, enrolled_on, values.get("onset_year"))
    same = vault.same_at(site.pk, person).select_related("participant")
    if same and not another_person:
        raise DuplicateError([identity.participant for identity in same])
    Site.objects.filter(pk=site.pk).update(last_number=F("last_number") + 1)
    participant = Participant.objects.create(
        site=site,
        screening=screening,
        study_number=rules.study_number(site.prefix, site.last_number + 1),
        arm=screening.arm,
        age_at_enrolment=age,
        by=by,
        **values,
    )
    vault.keep(participant, person)
    recheck(by=by, site_id=site.pk, participant_no=participant.pk)
    return participant


def _checked_age(person: Person, enrolled_on: date, onset_year: int | None) -> int:
    """Completed years at enrolment; the birth date must agree with it and with the onset."""
    age = rules.age_on(person.birth_date, enrolled_on)
    if not 18 <= age <= 120:
        raise ParticipantError(
            _("With this birth date the age at enrolment is %(age)s.") % {"age": age},
            "birth_date",
        )
    if onset_year is not None and not person.birth_date.year <= onset_year <= enrolled_on.year:
        raise ParticipantError(
            _("The year of onset must lie between birth and enrolment."), "onset_year"
        )
    return age


@transaction.atomic
def correct_identity(
    *,
    by: User,
    participant: Participant,
    person: Person,
    reason: str,
    another_person: bool = False,
) -> None:
    """Correct an identity; the age at enrolment follows a corrected birth date.

    Raises :class:`DuplicateError` or :class:`ParticipantError`, the latter also when the identity
    was erased.
    """
    age = _checked_age(person, participant.enrolled_on, participant.onset_year)
    take_turns([participant.pk])
    identity = Identity.objects.select_for_update().get(participant=participant)
    same = vault.same_at(participant.site_id, person).exclude(pk=identity.pk)
    if same and not another_person:
        raise DuplicateError([one.participant for one in same.select_related("participant")])
    with with_reason(reason):
        try:
            vault.rewrite(by=by, identity=identity, person=person)
        except SealedError as error:
            raise ParticipantError(_("The identity was erased.")) from error
        Participant.objects.filter(pk=participant.pk).exclude(age_at_enrolment=age).update(
            age_at_enrolment=age
        )
    recheck(by=by, site_id=participant.site_id, participant_no=participant.pk)


@transaction.atomic
def withdraw_consent(
    *, by: User, participant: Participant, on: date, scope: str, reason: str = ""
) -> None:
    """Record a withdrawal; it takes effect at once.

    A consent carries one withdrawal. Where each carries one, the newest is repeated to carry the
    further one, so that every scope holds. Raises :class:`ParticipantError`.
    """
    take_turns([participant.pk])
    consents = Consent.objects.filter(screening=participant.screening_id).select_for_update()
    newest_first = list(consents.order_by("-signed_on", "-id"))
    if not newest_first:
        raise ParticipantError(_("There is no consent to withdraw."))
    if on > participant.site.today:
        raise ParticipantError(_("The withdrawal's date lies in the future."), "withdrawn_on")
    if scope in rules.withdrawn_scopes(newest_first, participant.site.today):
        raise ParticipantError(_("That is withdrawn already."), "withdrawal_scope")
    consent = next((one for one in newest_first if one.withdrawn_on is None), newest_first[0])
    if on < consent.signed_on:
        raise ParticipantError(_("The withdrawal lies before the consent."), "withdrawn_on")
    if consent.withdrawn_on:
        consent.pk, consent.by = None, by
    consent.withdrawn_on, consent.withdrawal_scope = on, scope
    with with_reason(reason):
        consent.save()
        if scope == "erase_identity":
            vault.erase(Identity.objects.get(participant=participant))
    recheck(by=by, site_id=participant.site_id, participant_no=participant.pk)


@transaction.atomic
def add_consent_version(*, by: User, site: Site, values: Mapping[str, Any]) -> ConsentVersion:
    """Put a version of the consent form in force at a site."""
    if ConsentVersion.objects.filter(site=site, code=values["code"]).exists():
        raise ParticipantError(_("The site has a version of this name."), "code")
    until = values["in_force_until"]
    if until and until < values["in_force_from"]:
        raise ParticipantError(_("The last day lies before the first."), "in_force_until")
    return ConsentVersion.objects.create(site=site, **values)


@transaction.atomic
def rewrap_identities(*, by: User, after: int, count: int) -> tuple[int, int, int]:
    """Wrap the keys of the next ``count`` identities under the newest master key.

    The answer is the last row's id (pass it as ``after`` to go on; 0 at the end), the rows looked
    at and the rows wrapped anew. Raises :class:`SealedError` when a row's master key is missing.
    """
    rows = list(Identity.objects.filter(pk__gt=after).order_by("pk")[:count])
    rewrapped = sum(vault.rewrap(row) for row in rows)
    return (rows[-1].pk if rows else 0), len(rows), rewrapped


def take_turns(participants: Sequence[int]) -> list[Participant]:
    """Hold participants (ids): who else writes for them waits, and then sees what was written.

    Taken before any other lock of a participant's rows (visit, then form entry, then record), so
    that no two writers wait for each other.
    """
    found = Participant.objects.filter(pk__in=participants).order_by("pk")
    return list(found.select_for_update(no_key=True))


def require_entry(participant: Participant) -> None:
    """Raise :class:`ParticipantError` unless consent allows entry today."""
    _require_consent(participant.screening, participant.site.today)


def _require_consent(screening: Screening, on: date) -> None:
    versions = ConsentVersion.objects.filter(site=screening.site_id)
    refused = rules.entry_refused_because(screening.consents.all(), versions, on)
    if refused:
        raise ParticipantError(refused)
