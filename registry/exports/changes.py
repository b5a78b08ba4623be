"""What changed since a project's last release: as the manifest tells it, and as pages show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from . import rules
from .models import Dataset, DatasetRequest
from .profiles import PROFILES
from .tables import Table

ASKED = ("profile", "forms", "arms", "sites", "enrolled_from", "enrolled_to", "classes", "formats")
VERSIONS = ("protocol_version", "codebook_version", "code_version")
WHEN = ("then", "now")


def columns_of(tables: Sequence[Table]) -> dict[str, list[str]]:
    """Table → its columns, as the manifest keeps them for the next release to compare."""
    return {table.name: [column.name for column in table.columns] for table in tables}


def changes(
    earlier: Dataset,
    request: DatasetRequest,
    about: Mapping[str, Any],
    rows: Mapping[str, int],
    people: Mapping[str, int],
) -> dict[str, Any]:
    """What the manifest says changed since ``earlier``, a ready dataset of the project.

    ``about`` is the new manifest so far, ``rows`` its tables with their numbers of rows, and
    ``people`` how many participants were ``added``, are ``gone``, and of these ``stopped_sharing``.
    """
    then = earlier.manifest
    former = {row["table"]: row["delivered"] for row in then["tables"]}
    kept = [table for table in rows if table in former]
    versions = {name: (then[name], about[name]) for name in VERSIONS if then[name] != about[name]}
    asked = {
        name: (_asked(earlier.request, name), _asked(request, name))
        for name in ASKED
        if getattr(earlier.request, name) != getattr(request, name)
    }
    columns = {
        table: _added_and_gone(then["columns"][table], about["columns"][table]) for table in kept
    }
    return {
        "since": {"dataset": earlier.pk, "cut_off": then["cut_off"]},
        "participants": {"then": former["participants"], "now": rows["participants"], **people},
        "rows": {
            table: {"then": former.get(table), "now": rows.get(table)}
            for table in {**rows, **former}
        },
        "tables": _added_and_gone(list(former), list(rows)),
        "columns": {table: differ for table, differ in columns.items() if any(differ.values())},
        "made": {
            name: {"then": before, "now": now} for name, (before, now) in (asked | versions).items()
        },
    }


def _added_and_gone(then: Sequence[str], now: Sequence[str]) -> dict[str, list[str]]:
    return {
        "added": [name for name in now if name not in then],
        "gone": [name for name in then if name not in now],
    }


def _asked(request: DatasetRequest, name: str) -> Any:
    """What a request asks for, as JSON. Sites are told by their number: their keys would link."""
    value = getattr(request, name)
    if name == "sites":
        return len(value)
    return value.isoformat() if isinstance(value, date) else value


# -- as pages show it ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was, in words."""

    label: str
    then: str
    now: str


@dataclass(frozen=True)
class TableChange:
    """A table's rows then and now, None where there is no such table, and its columns."""

    name: str
    then: int | None
    now: int | None
    added: Sequence[str] = ()
    gone: Sequence[str] = ()


@dataclass(frozen=True)
class Shown:
    """The changes of one release."""

    dataset: int
    cut_off: datetime
    participants: Mapping[str, int]
    made: Sequence[Difference]
    tables: Sequence[TableChange]


def shown(manifest: Mapping[str, Any]) -> Shown | None:
    """The changes that a manifest tells; None of a first release, or while there is no manifest."""
    told = manifest.get("changes")
    if not told:
        return None
    # The order is not kept in jsonb.
    tables = [
        TableChange(table, **told["rows"][table], **told["columns"].get(table, {}))
        for table in [*(row["table"] for row in manifest["tables"]), *told["tables"]["gone"]]
    ]
    made = [
        Difference(_label(name), *(_in_words(name, told["made"][name][at]) for at in WHEN))
        for name in (*ASKED, *VERSIONS)
        if name in told["made"]
    ]
    cut_off = datetime.fromisoformat(told["since"]["cut_off"])
    return Shown(told["since"]["dataset"], cut_off, told["participants"], made, tables)


def _label(name: str) -> str:
    return {
        "profile": _("Profile"),
        "forms": _("Forms"),
        "arms": _("Arms"),
        "sites": _("Number of sites"),
        "enrolled_from": _("Enrolled from"),
        "enrolled_to": _("Enrolled until"),
        "classes": _("Clinical classes at baseline"),
        "formats": _("Formats"),
        "protocol_version": _("Version of the protocol"),
        "codebook_version": _("Version of the codebook"),
        "code_version": _("Version of the code"),
    }[name]


def _in_words(name: str, value: Any) -> str:
    """A value with the words of its codes; what is empty asks for all, or of forms for none."""
    if not value:
        empty = {"forms": _("none"), "enrolled_from": _("any day"), "enrolled_to": _("any day")}
        return empty.get(name, _("all"))
    codes: dict[str, dict[str, str]] = {
        "profile": {code: str(profile.label) for code, profile in PROFILES.items()},
        "forms": rules.forms(),
        "arms": rules.arms(),
        "classes": {str(code): f"C{code}" for code in range(7)},
    }
    values = value if isinstance(value, list) else [value]
    return ", ".join(codes.get(name, {}).get(str(one), str(one)) for one in values)
