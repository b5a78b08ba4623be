"""EQ-5D: answers, version and scale belong together (``forms.md``, reported_outcomes)."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level


def contradictions(
    profile: str | None, version: str | None, vas: object, told_absent: frozenset[str]
) -> Iterator[Finding]:
    """The five answers without their version or scale, or the reverse, are asked about.

    ``told_absent`` are the items with an absence code: those are answers. The version of three
    levels knows no answer above 3.
    """
    given = {"eq5d_profile": profile, "eq5d_version": version, "eq5d_vas": vas}
    if profile is not None or vas is not None:
        for item, value in given.items():
            if value is None and item not in told_absent:
                yield Finding(
                    Level.INCONSISTENT,
                    item,
                    _("The answers, the version and the scale of EQ-5D belong together."),
                    "eq5d_incomplete",
                )
    if profile and version == "3L" and max(profile) > "3":
        yield Finding(
            Level.INCONSISTENT,
            "eq5d_profile",
            _("EQ-5D-3L has the answers 1 to 3 only."),
            "eq5d_of_other_version",
        )
