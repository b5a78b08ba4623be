"""The README of a dataset: plain text in short lines, true of what is in it and no more."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from registry.core.dictionary import ABSENCE_CODES

from .. import rules
from ..disclosure.report import sentences
from ..formats import FORMATS, spss
from ..profiles import Profile
from ..tables import Table
from .loaders import readable
from .stata import MISSING as STATA

WIDTH = 78
DISCLOSURE = "disclosure.json"


def readme(manifest: dict[str, Any], profile: Profile, tables: Sequence[Table]) -> str:
    """What is in the dataset, what its words mean, how to read, check and cite it."""
    names = {table.name for table in tables}
    formats = manifest["formats"]
    parts = [
        _title("Saphena registry: a de-identified dataset"),
        *_about(manifest, profile),
        _title("What is in it"),
        *_contents(manifest, tables),
        _title("How people are kept from being told apart"),
        *_disclosure(manifest["disclosure"], profile),
        _title("Definitions"),
        *(_item(text) for text in _definitions(names)),
        _title("How tables join"),
        *_joins(names),
        _title("How to read it"),
        *_reading(formats),
        _title("How to check it"),
        *CHECKS,
        _title("What must not be done"),
        *(_item(text) for text in FORBIDDEN),
        _title("How to cite it"),
        *_citation(manifest, profile, names),
    ]
    return "\n\n".join(parts) + "\n"


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}"


def _flow(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _item(text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _facts(facts: dict[str, str]) -> str:
    """Name and value in two columns."""
    wide = max(map(len, facts)) + 2
    return "\n".join(
        textwrap.fill(
            value,
            WIDTH,
            initial_indent=f"{name}:".ljust(wide),
            subsequent_indent=" " * wide,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, value in facts.items()
    )


def _about(manifest: dict[str, Any], profile: Profile) -> Iterator[str]:
    yield _flow(
        "Saphena is a prospective registry of several sites for chronic venous insufficiency and"
        " the calcification that follows it: CEAP class, periodic X-ray grades and ulcer outcomes,"
        " leg by leg, over years. This dataset was approved for one project."
    )
    yield _facts(
        {
            "Request": str(manifest["request"]),
            "Data as of": f"{manifest['cut_off']} (the cut-off, UTC)",
            "Profile": f"{profile.label}. {profile.description}",
            "Formats": ", ".join(FORMATS[one].label for one in manifest["formats"]),
            "Code": manifest["code_version"],
            "Codebook": manifest["codebook_version"],
            "Protocol": manifest["protocol_version"],
        }
    )


def _contents(manifest: dict[str, Any], tables: Sequence[Table]) -> Iterator[str]:
    arms = rules.arms()
    yield _flow(
        "Participants whose newest consent allows their de-identified data to be shared, both at"
        " the cut-off and when this dataset was built. Who ever withdrew the sharing of data is"
        " not in it. The request asked for these:"
    )
    asked = ["arm: " + ", ".join(arms[arm] for arm in manifest["arms"])]
    for one, text in NARROWED.items():
        if said := manifest.get(one):
            asked.append(text.format(", ".join(map(str, said)) if one == "classes" else said))
    yield "\n".join(_item(text) for text in asked)
    if stopped := manifest["stopped_sharing_since"]:
        yield _flow(f"Of those who shared at the cut-off {stopped} have stopped since: left out.")
    yield "\n".join(_item(f"{table.name}: {table.label}") for table in tables)
    yield _flow(
        "Forms that were completed, with the values they had at the cut-off. What was only a draft"
        " is not here. Free text, files, names and addresses are in no dataset. manifest.json gives"
        " the rows of each table; codebook.csv, codebook.json and codebook.html describe each"
        " column: its label, unit, codes, the form and item it comes from, and how it was made."
    )


def _disclosure(report: dict[str, Any], profile: Profile) -> Iterator[str]:
    yield "\n".join(_item(sentence) for sentence in sentences(report, profile))
    yield _flow(
        "This is about sex, age, time of enrolment and site, as somebody may know them. Whoever"
        " knows more of a participant, such as an event and its day, his weight or how long he has"
        f" been followed, may find him all the same. {DISCLOSURE} has the figures; its levels say"
        " how each of the four is told."
    )


def _definitions(names: Collection[str]) -> Iterator[str]:
    codes = ", ".join(ABSENCE_CODES)
    yield (
        "Study day: days from the participant's enrolment, which is day 0; before it they are"
        " negative. No calendar date leaves, and a year leaves as years before that of enrolment."
    )
    yield (
        "Partial date: one known to the month or the year only, as its column _precision says. It"
        " is told in whole months of 30 days from the month of enrolment, or in whole years of 365"
        " from its year: do not read it as a day."
    )
    yield (
        "Missing: an empty value. Where somebody recorded why, absence_codes has one of the codes"
        f" {codes} for the record and the item. Without one the item was not asked there, is not"
        " known, or is hidden by the profile."
    )
    yield (
        "Leg: right and left are the participant's own. A form of a leg is filled once for each"
        " leg at a visit."
    )
    yield "Unit: written as in UCUM; d is days, a is years."
    if "visits" in names:
        yield (
            "Visit: one planned by the registry's protocol, also when nobody came:"
            " visit_attended_on is then empty. Target and window count from enrolment."
        )
    if "grades" in names:
        yield (
            "Reading: what one reader saw on the films of a leg at a visit, as submitted:"
            " independent, without sight of other readings, or paired, against the leg's earlier"
            " film (reading_mode). Readings of a film are numbered in the order in which they"
            " came. A film is graded none, punctate, trabecular or reticular (Tokoro 2009;"
            " see below), or lies outside that scale: amorphous, plate, other. Tokoro 2009 claims"
            " no order between trabecular and reticular. Extent is the registry's own: 0 none, 1"
            " one zone, 2 two or three, 3 four or more of the zones seen."
        )
        yield (
            "Final grade: the single independent reading of a film. A film with several independent"
            " readings has none until they are settled; all of them are in the table readings"
            " (registry's protocol, X-ray)."
        )
    if "ulcers" in names:
        yield (
            "Healed: an ulcer fully epithelialised, without drainage or need of a dressing, and"
            " seen so again 14 days later or more with none but closed looks between; it healed on"
            " the first of these days (registry's protocol, ulcers)."
        )
        yield (
            "Outcome of an ulcer: whichever of healing, loss of that leg below or above the knee,"
            " and death came first by the cut-off; censored, or not healed, where none did."
            " Codes that the profile leaves together are named in the codebook."
        )
    if "vcss" in names:
        yield "VCSS: the Venous Clinical Severity Score as revised in 2010."
    if "villalta" in names:
        yield (
            "Villalta: asked of legs with a deep vein thrombosis. Under 5 none, 5 to 9 mild, 10 to"
            " 14 moderate, 15 or more, or an open venous ulcer, severe."
        )
    if "ceap" in names:
        yield (
            "CEAP: the revision of 2020 unless ceap_ceap_version says otherwise;"
            " ceap_clinical_1994 puts all revisions on the classes 0 to 6 of 1994."
        )


def _joins(names: Collection[str]) -> Iterator[str]:
    yield _flow(
        "By the columns that begin each table, its keys; together they name one row. participant"
        " joins every table; visit those with a visit; limb those of a leg. Rows stand in the"
        " order of the keys, which says nothing of who was enrolled when."
    )
    if "ulcers" in names:
        yield _flow("participant and ulcer join ulcer_assessments to ulcers.")
    if "grades" in names:
        yield _flow(
            "participant, visit and limb join xray, grades and readings; readings has a number"
            " more, reading."
        )
    yield _flow(
        "absence_codes names form and item, as the columns form and item of the codebook do; its"
        " occurrence is the row of a log, or the label of an ulcer."
    )


def _reading(formats: Sequence[str]) -> Iterator[str]:
    for one in formats:
        kind = FORMATS[one]
        yield f"  {kind.label}: {kind.name_of('TABLE')}"
    if "csv" in formats:
        yield _flow(
            "CSV is in UTF-8, separated by commas, its lines ended by CR LF (RFC 4180), and packed"
            " by gzip. Yes is 1, no is 0. An item with several answers has one such column for"
            " each."
        )
    if "parquet" in formats:
        yield _flow("Parquet holds the same values with types; codes are dictionaries.")
    yield from _packages(formats)
    yield from _cdisc(formats)
    texts = {
        "load.py": 'Python with pandas: from load import load; load("participants")',
        "load.R": 'R: source("load.R"); load_table("participants")',
        "load.do": "Stata 14 or later: unpack the files of csv, cd to this folder,"
        " do load.do participants",
    }
    if loaders := readable(formats):
        yield _flow("These apply types, labels, codes and the reasons for missing values:")
        yield "\n".join(_item(f"{name}, {texts[name]}") for name in loaders)


def _packages(formats: Sequence[str]) -> Iterator[str]:
    """What has to be known of the files of statistics packages."""
    packages = [one for one in ("stata", "spss", "xpt") if one in formats]
    if not packages:
        return
    yield _flow(
        f"{_and(FORMATS[one].label for one in packages)} files have numbers in the place of codes,"
        " with labels: a code that is a number stays it, others count from 1 in the order of"
        " codebook.csv. Names of more than 32 characters are shortened: names in manifest.json"
        " gives what each column is called. A number as typed stays text, for 2.40 is not 2.4"
        " there. A text cannot say why it is missing: a variable beside it does, its name ended by"
        " _absent."
    )
    reasons = list(ABSENCE_CODES)
    if "stata" in formats:
        values = ", ".join(f"{STATA[code]} {code}" for code in reasons)
        yield _flow(f"Stata 14 or later. A missing value says why: {values}; . says nothing.")
    if "spss" in formats:
        yield _flow(
            f"SPSS. {spss.FIRST_REASON} to {spss.LAST_REASON} are user-missing values, with"
            " labels that say why a value is missing; system-missing says nothing. Ordinal"
            " variables are marked."
        )
    if "xpt" in formats:
        yield _flow(
            "SAS transport files of version 8, in UTF-8. xpt/formats.sas reads them, makes formats"
            " of the labels and gives them to the variables: its first lines say how. Why a value"
            " is missing stands in a variable beside it, its name ended by _absent. Empty texts are"
            " missing ones."
        )


def _cdisc(formats: Sequence[str]) -> Iterator[str]:
    """What has to be known of CDISC's formats."""
    if "odm" in formats:
        yield _flow(
            "CDISC ODM 1.3.2: one file of all tables, a snapshot, by participant and visit. A row"
            " is an ItemGroupData; its leg, ulcer, occurrence or reading is the repeat key. What"
            " is of no visit stands in the event SE.participant. Where it is known why a value is"
            " missing, its item is null and a flag gives the code; otherwise there is no item."
        )
    if "dataset-json" in formats:
        yield _flow(
            "CDISC Dataset-JSON 1.1: a file a table, described by dataset-json/define.xml"
            " (Define-XML 2.1). Missing is null."
        )


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


NARROWED = {
    "sites_chosen": "sites: {} of the registry's, without their names",
    "enrolled_from": "enrolled on {} or later",
    "enrolled_to": "enrolled on {} or earlier",
    "classes": "clinical class at baseline, of the worse leg, one of {}",
}
"""What else a request may narrow, as the manifest says it."""

CHECKS = (
    _flow("With the registry's code, which needs neither its database nor a network:"),
    "  manage.py check_dataset FOLDER_OR_ZIP",
    _flow("With sha256sum alone, in the folder where manifest.json lies:"),
    '  sed -n \'s/^ *"\\([^"]*\\)": "\\([0-9a-f]\\{64\\}\\)",*$/\\2  \\1/p\' \\\n'
    "    manifest.json | sha256sum -c",
    _flow("The registry's page of the dataset gives the SHA-256 of the whole file."),
)
FORBIDDEN = (
    "Do not try to find out who a participant, a site, an examiner or a reader is, and do not join"
    " these data to others that could tell it.",
    "Do not pass the data on to anybody whom the approval does not name.",
    "Delete the rows of every participant of whom the registry says that sharing has stopped: it"
    " names the pseudonyms. A later dataset of the project is without them.",
    "Random names and numbers are this project's own: they mean nothing elsewhere.",
)


def _citation(manifest: dict[str, Any], profile: Profile, names: Collection[str]) -> Iterator[str]:
    yield _flow(
        f"Saphena registry. Dataset of request {manifest['request']}, profile {profile.label},"
        f" data as of {manifest['cut_off']}, code {manifest['code_version']}, codebook"
        f" {manifest['codebook_version']}."
    )
    yield _flow(
        "Give the SHA-256 of manifest.json beside it (sha256sum manifest.json): it names exactly"
        " this dataset."
    )
    if "grades" in names:
        yield _flow(
            "For the grades of calcification: Tokoro S et al. Acta Derm Venereol 2009; 89: 505."
        )
