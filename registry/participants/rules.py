"""Pure rules of screening, consent, study numbers and enrolment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from registry.core.numbers import UnreadableError

STOPS_CONTACT = frozenset({"stop_contact", "stop_collection", "erase_identity"})
STOPS_COLLECTION = frozenset({"stop_collection", "erase_identity"})

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_character(text: str) -> str:
    """The check character of ISO 7064 MOD 37,36 over the letters and digits of ``text``.

    It finds every single wrong character, and every swap of neighbours but those of two
    characters that follow one another in the alphabet after one certain state: 36 in 22,680,
    about one in a hundred swaps of digits.
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


_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−ー"), "-")
_TYPED = re.compile(
    r"(?:(?P<prefix>[A-Z][A-Z0-9]{0,3})[- ]+|(?P<letters>[A-Z]{1,4}))?"
    r"(?P<running>[0-9]{1,7})"
    r"(?:[- ]+(?P<check>[0-9A-Z])|(?P<letter>[A-Z]))?"
)


@dataclass(frozen=True)
class TypedNumber:
    """A study number as it was typed; ``prefix`` and ``check`` may be left out."""

    text: str
    prefix: str
    running: int
    check: str

    def among(self, prefixes: Iterable[str]) -> list[str]:
        """The study numbers it can mean at the sites of these ``prefixes``.

        Raises :class:`UnreadableError` when the check character fits none. It is computed from
        the number, so the answer says nothing about who is enrolled.
        """
        numbers = [
            study_number(prefix, self.running)
            for prefix in ([self.prefix] if self.prefix else prefixes)
        ]
        if self.check:
            numbers = [number for number in numbers if number[-1] == self.check]
            if not numbers:
                raise UnreadableError(
                    _(
                        "%(text)s: the check character %(check)s does not fit."
                        " Compare the number with the source."
                    )
                    % {"text": self.text, "check": self.check}
                )
        return numbers


def read_study_number(text: str) -> TypedNumber:
    """Read ``42``, ``0042``, ``tky-42``, ``TKY-0042-K``, in full width too.

    Raises :class:`UnreadableError`.
    """
    typed = unicodedata.normalize("NFKC", text).translate(_DASHES).strip().upper()
    found = _TYPED.fullmatch(typed)
    if not found:
        raise UnreadableError(
            _("“%(text)s” is no study number. Type one like 42 or TKY-0042.")
            % {"text": text.strip()[:40]}
        )
    return TypedNumber(
        text=typed,
        prefix=found["prefix"] or found["letters"] or "",
        running=int(found["running"]),
        check=found["check"] or found["letter"] or "",
    )


# Why a person screened is not eligible: the code that is stored, and its words.
REASONS = {
    "not_adult": gettext_noop("not an adult"),
    "not_able_to_consent": gettext_noop("not able to consent"),
    "pregnant": gettext_noop("pregnant (X-rays are part of the study)"),
    "cvi_not_diagnosed": gettext_noop("CVI not diagnosed by clinical signs and duplex"),
    "no_venous_disease": gettext_noop("no venous disease"),
}


def not_eligible_because(values: Mapping[str, Any]) -> list[str]:
    """The code of every reason why the person screened cannot be enrolled; empty when eligible.

    Source: protocol, screening. Unanswered items give no reason: they are findings of their own.
    """
    reasons = []
    if values.get("adult") is False:
        reasons.append("not_adult")
    if values.get("able_to_consent") is False:
        reasons.append("not_able_to_consent")
    if values.get("pregnant") is True:
        reasons.append("pregnant")
    if values.get("arm") == "cvi" and values.get("cvi_diagnosed") is False:
        reasons.append("cvi_not_diagnosed")
    if values.get("arm") == "cvi" and values.get("venous_status") == "absent":
        reasons.append("no_venous_disease")
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
