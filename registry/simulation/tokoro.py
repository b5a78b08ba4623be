"""Enters the reconstruction of Tokoro et al. 2009 as a site.

The rows match every aggregate that the paper published; they are no patient data. What the paper
does not give is filled by the conventions that :func:`registry.reports.tables.conventions` states
on the report. Every record goes through the actions that the forms use.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from tqdm import tqdm

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.core.errors import RefusedError
from registry.core.findings import Level, judge
from registry.imaging import actions as imaging
from registry.imaging.models import Xray
from registry.participants import actions as participants
from registry.participants.models import Consent, ConsentVersion, Participant, Screening
from registry.participants.vault import Person
from registry.reports.tokoro import RECONSTRUCTION
from registry.ulcers import actions as ulcers
from registry.visits import actions as visits
from registry.visits.crf import FORMS, Crf
from registry.visits.models import Visit

FIXTURE = Path(settings.BASE_DIR) / "fixtures" / "tokoro_2009.csv"
SITE_NAME = "Tokoro 2009 (reconstruction)"
READER = "Tokoro et al. 2009"
DAY = date(2008, 7, 2)  # mid-year, so that an onset in year y lies DAY.year - y whole years back
LEG = "right"
MARKED_ZONE = "zone_distal_medial"
NOT_FOLLOWED = "Cross-sectional study: the paper reports one examination."


class TokoroError(RefusedError):
    """The reconstruction cannot be entered."""


@dataclass(frozen=True)
class Row:
    """One row of the reconstruction."""

    name: str
    arm: str
    sex: str
    age: int
    calcified: bool
    pattern: str
    ceap: int | None
    duration: int | None
    extrusion: bool
    control_reason: str


def read_rows(path: Path = FIXTURE) -> list[Row]:
    """The rows of the reconstruction. Raises :class:`TokoroError` naming the line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = []
            for line in reader:
                try:
                    rows.append(_row(line))
                except (KeyError, ValueError, TypeError) as error:
                    raise TokoroError(
                        f"{path.name}, line {reader.line_num} cannot be read: {error}."
                    ) from error
            return rows
    except (OSError, UnicodeDecodeError) as error:
        raise TokoroError(f"{path} cannot be read: {error}.") from error


def _row(line: Mapping[str, str]) -> Row:
    arm = {"CVI": "cvi", "control": "control"}[line["group"]]
    return Row(
        name=line["id"],
        arm=arm,
        sex={"M": "male", "F": "female"}[line["sex"]],
        age=int(line["age_years"]),
        calcified={"1": True, "0": False}[line["calcified"]],
        pattern=line["pattern"],
        ceap=int(line["ceap_c"]) if arm == "cvi" else None,
        duration=int(line["duration_years"]) if arm == "cvi" else None,
        extrusion=line["nodule_extrusion"] == "1",
        control_reason=line["control_reason"],
    )


def load(*, progress: bool = False, path: Path = FIXTURE) -> int:
    """Enter the reconstruction; returns how many participants were entered, 0 when it stands.

    All or nothing, in one transaction. Raises :class:`TokoroError` or another
    :class:`~registry.core.errors.RefusedError`.
    """
    rows = read_rows(path)
    by = User.objects.system("import")
    with scope(by, []):
        site, _ = Site.objects.get_or_create(
            prefix=RECONSTRUCTION, defaults={"name": SITE_NAME, "time_zone": "Asia/Tokyo"}
        )
        if site.name != SITE_NAME:
            raise TokoroError(f"The prefix {RECONSTRUCTION} already belongs to {site.name}.")
        # One load at a time: the second waits here, and then finds the participants.
        Site.objects.select_for_update().get(pk=site.pk)
        with scope(by, [site.pk], identity_sites=[site.pk]):
            if Participant.objects.filter(site=site).exists():
                return 0
            entry = _Entry(by=by, site=site, reader=_reader(), version=_version(site))
            for row in tqdm(rows, desc=SITE_NAME, unit="participant", disable=not progress):
                entry.enter(row)
    return len(rows)


def _reader() -> User:
    """The authors, as a system actor: their readings have a name and nobody can log in."""
    reader, _ = User.objects.get_or_create(
        email="tokoro_2009@system.invalid",
        defaults={"name": READER, "is_system": True, "is_active": False, "password": "!"},
    )
    return reader


def _version(site: Site) -> ConsentVersion:
    return ConsentVersion.objects.create(
        site=site, code="reconstruction", in_force_from=date(DAY.year, 1, 1), mandatory=True
    )


@dataclass(frozen=True)
class _Entry:
    """Enters row after row at one site."""

    by: User
    site: Site
    reader: User
    version: ConsentVersion

    def enter(self, row: Row) -> None:
        participant = self._enrol(row)
        baseline = None
        for visit in participant.visits.select_related("participant__site"):
            if visit.code == "BL":
                baseline = visit
            else:
                visits.miss_visit(by=self.by, visit=visit, because=NOT_FOLLOWED)
        assert baseline
        visits.attend_visit(by=self.by, visit=baseline, on=DAY)
        if row.ceap == 6:  # first, as leg check and CEAP class are judged against the open ulcers
            self._ulcer(baseline, row)
        self._leg_check(baseline, row)
        if row.ceap is not None:
            self._ceap(baseline, row.ceap)
        self._xray(baseline, row)

    def _enrol(self, row: Row) -> Participant:
        cvi = row.arm == "cvi"
        screening = participants.screen_person(
            by=self.by,
            site=self.site,
            values={
                "screened_on": DAY,
                "adult": True,
                "arm": row.arm,
                "cvi_diagnosed": True if cvi else None,
                "venous_status": "present" if cvi else "not_examined",
                "control_reason": row.control_reason or None,
                "able_to_consent": True,
                "pregnant": False,
            },
        )
        self._consent(screening)
        return visits.enrol_and_plan(
            by=self.by,
            screening=screening,
            person=Person(row.name, "Tokoro 2009 reconstruction", date(DAY.year - row.age, 7, 1)),
            values={
                "sex": row.sex,
                "enrolled_on": DAY,
                "onset_year": None if row.duration is None else DAY.year - row.duration,
                "onset_month": None,
                "recruited_in": ["dermatology"] if cvi else ["orthopaedics"],
            },
        )

    def _consent(self, screening: Screening) -> Consent:
        values = dict.fromkeys(["allows_images", "allows_sharing", "allows_contact"], False)
        return participants.take_consent(
            by=self.by,
            screening=screening,
            version=self.version,
            values={"signed_on": DAY, **values},
        )

    def _leg_check(self, visit: Visit, row: Row) -> None:
        known = row.ceap is not None
        self._save(
            visit,
            "leg_check",
            {"leg_status": "present", "any_open_ulcer": row.ceap == 6 if known else None},
            {} if known else {"any_open_ulcer": "unknown"},
        )

    def _ceap(self, visit: Visit, ceap: int) -> None:
        unknown = ["symptomatic", "etiology", "anatomy", "pathophysiology", "investigation_level"]
        self._save(
            visit,
            "ceap",
            {"ceap_version": "1994", "clinical": f"C{ceap}"},
            dict.fromkeys(unknown, "unknown"),
        )

    def _xray(self, visit: Visit, row: Row) -> None:
        xray = self._save(
            visit,
            "xray",
            {
                "performed": True,
                "purpose": "study",
                "acquired_on": DAY,
                "views": ["not_stated"],
            },
            dict.fromkeys(["pregnancy_excluded", "thirds_covered", "modality"], "unknown"),
        )
        assert isinstance(xray, Xray)
        other_zones = "not_assessable" if row.calcified else "absent"
        zones = dict.fromkeys(sorted(xray.zones_seen), other_zones)
        if row.calcified:
            zones[MARKED_ZONE] = "present"
        imaging.enter_published_reading(
            by=self.by,
            xray=xray,
            reader=self.reader,
            read_on=DAY,
            values={
                "mode": "independent",
                "quality": "good",
                "calcification": "present" if row.calcified else "absent",
                "pattern": row.pattern if row.calcified else None,
                **zones,
            },
        )

    def _ulcer(self, visit: Visit, row: Row) -> None:
        ulcer = ulcers.add_ulcer(
            by=self.by,
            participant=visit.participant,
            limb=LEG,
            visit=visit,
            values={
                "location": ["medial_malleolus"],
                "onset_on": str(DAY.year),
                "ulcer_cause": "venous",
            },
        )
        self._save(
            visit,
            "ulcers",
            {"assessed_on": DAY, "ulcer_status": "open", "extruded_calcium": row.extrusion},
            dict.fromkeys(["length_mm", "width_mm"], "unknown"),
            occurrence=ulcer.label,
        )

    def _save(
        self,
        visit: Visit,
        form: str,
        values: dict[str, Any],
        absent: dict[str, str],
        occurrence: str = "",
    ) -> Crf:
        """Judge and save a form of the leg, as the page does."""
        entry = visit.entries.get(form=form, limb=LEG, occurrence=occurrence)
        values = {"done_on": DAY, **values}
        for finding in judge(FORMS[form].items(), values, absent):
            if finding.level in (Level.IMPOSSIBLE, Level.MISSING):
                raise TokoroError(f"{FORMS[form].label}: {finding.message}", finding.item)
        return visits.save_form(
            by=self.by, entry=entry, values=values, absent=absent, revision=entry.revision
        )
