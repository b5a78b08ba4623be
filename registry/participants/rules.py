"""Pure rules of screening, consent, study numbers and enrolment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Protocol

from django.utils.translation import gettext as _

STOPS_CONTACT = frozenset({"stop_contact", "stop_collection", "erase_identity"})
STOPS_COLLECTION = frozenset({"stop_collection", "erase_identity"})

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_character(text: str) -> str:
    """The check character of ISO 7064 MOD 37,36 over the letters and digits of ``text``.

    It finds every single wrong character and every swap of neighbours.
    """
    remainder = 36
    for character in text:
        if character in _ALPHABET:
            remainder = (remainder + _ALPHABET.index(character)) % 36 or 36
            remainder = remainder * 2 % 37
    return _ALPHABET[(37 - remainder) % 36]


def study_number(prefix: str, running: int) -> str:
    """``TKY``, 42 → ``TKY-0042-`` and its check character."""
    stem = f"{prefix}-{running:04d}"
    return f"{stem}-{check_character(stem)}"


def not_eligible_because(values: Mapping[str, Any]) -> list[str]:
    """Every reason why the person screened cannot be enrolled; empty when eligible.

    Source: protocol, screening. Unanswered items give no reason: they are findings of their own.
    """
    reasons = []
    if values.get("adult") is False:
        reasons.append(_("not an adult"))
    if values.get("able_to_consent") is False:
        reasons.append(_("not able to consent"))
    if values.get("pregnant") is True:
        reasons.append(_("pregnant (X-rays are part of the study)"))
    if values.get("arm") == "cvi" and values.get("cvi_diagnosed") is False:
        reasons.append(_("CVI not diagnosed by clinical signs and duplex"))
    if values.get("arm") == "cvi" and values.get("venous_status") == "absent":
        reasons.append(_("no venous disease"))
    return reasons


class Signed(Protocol):
    """What the rules need of a consent."""

    version_id: int
    signed_on: date
    withdrawn_on: date | None
    withdrawal_scope: str | None


class Version(Protocol):
    """What the rules need of a consent version."""

    pk: int
    in_force_from: date
    in_force_until: date | None
    mandatory: bool


def in_force(version: Version, on: date) -> bool:
    return version.in_force_from <= on and (
        version.in_force_until is None or on <= version.in_force_until
    )


def withdrawn_scopes(consents: Iterable[Signed], on: date) -> frozenset[str]:
    """Every scope of withdrawal that holds on the day ``on``."""
    return frozenset(
        consent.withdrawal_scope
        for consent in consents
        if consent.withdrawn_on and consent.withdrawn_on <= on and consent.withdrawal_scope
    )


def entry_refused_because(consents: Iterable[Signed], versions: Iterable[Version], on: date) -> str:
    """Why nothing may be entered on the day ``on``; empty when it may.

    Consent governs entry, not the events entered: what happened before may be entered once a
    consent covers it. The newest mandatory version in force must be signed.
    """
    consents, versions = list(consents), list(versions)
    if STOPS_COLLECTION & withdrawn_scopes(consents, on):
        return _("Consent to collection was withdrawn: nothing more may be entered.")
    signed = {consent.version_id for consent in consents if consent.signed_on <= on}
    if not signed:
        return _("No consent is signed: nothing may be entered before.")
    mandatory = [version for version in versions if version.mandatory and in_force(version, on)]
    newest = max(mandatory, key=lambda version: version.in_force_from, default=None)
    later = {
        version.pk
        for version in versions
        if newest and version.in_force_from >= newest.in_force_from
    }
    if newest and not signed & later:
        return _("A new version of the consent must be signed before anything is entered.")
    return ""


def disease_duration_years(onset_year: int, onset_month: int | None, enrolled_on: date) -> float:
    """Years from onset to enrolment; mid-year when the month is unknown (``forms.md``)."""
    onset = onset_year + ((onset_month - 0.5) / 12 if onset_month else 0.5)
    day_of_year = enrolled_on.timetuple().tm_yday
    return max(0.0, enrolled_on.year + (day_of_year - 1) / 365.25 - onset)


def age_on(birth: date, day: date) -> int:
    """Completed years of age."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
