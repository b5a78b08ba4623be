"""ODM says what Parquet and the codebook say, and why a value is missing."""

import dataclasses
import datetime as dt
from unittest.mock import patch

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from registry.core.dictionary import Kind
from registry.exports.about.codebook import describe
from registry.exports.formats import FORMATS, finished
from registry.exports.formats.cdisc.odm import NO_XML
from registry.exports.formats.variables import UnfitError
from registry.exports.profiles import PROFILES
from registry.exports.tables import tables
from registry.exports.verification import WHOLE
from registry.visits.schedule import CURRENT

from . import test_packages as packages
from .cdisc import clinical, metadata, open_define, open_odm, same_rows
from .test_packages import ABSENT, COLUMNS, KEYS, LONG, NAMES, REASONS, looks

HOSTILE = ' <a href="x">&amp;</a>\t]]>\r\n\x85\u2028\U0001f9b5 \'<!--'
ROWS = [
    ("P1", "BL", "C6", "2020", "2.400", "-97", "1", "1", "11223"),
    ("P1", "M03", None, None, None, None, None, None, None),
    ("P1", "UC-2", "C4a", "1994", "0.001", "-9999", "0", "0", HOSTILE),
    ("P2", "BL", "C0", None, "123456789.125", "214748364", None, None, "佐藤"),
    ("P3", "M60", None, "2020", None, None, None, "1", ""),
]


def write(folder, rows, reasons=()):
    made = packages.finished(folder, rows, sorted(reasons))  # by participant, as all tables
    path = folder / "dataset.xml"
    told = list(FORMATS["odm"].write(made, path))
    assert told == sorted(told)
    assert max(told, default=0) == made.rows("looks") + made.rows("absence_codes")
    return made, path


def same(folder, rows, reasons):
    """Assert that the file holds the rows and the reasons, and nothing else."""
    made, path = write(folder, rows, reasons)
    found = clinical(open_odm(path))
    assert list(found) == ["looks", "absence_codes"]
    of_items = {item: name for name, item in ABSENT.items()}
    said = {(*rows[row][:2], of_items[item]): code for row, item, code in reasons}
    for described in made.tables:
        table = described.table
        want = parquet.read_table(made.path(table.name)).to_pylist()
        keys = [key.name for key in table.keys]
        same_rows(found[table.name], want, keys, said if table.name == "looks" else {})


def test_every_value_and_every_reason_arrives(tmp_path):
    same(tmp_path, ROWS, REASONS)


def test_an_empty_dataset_is_valid(tmp_path):
    same(tmp_path, [], [])


ROW = {"participant": "P1", "visit": "HC-1", "limb": "left", "ulcer": "L1", "reading": "2"}
ROW |= {"occurrence": "3", "form": "event", "item": "kind", "code": "unknown"}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_table_of_a_dataset_has_its_place(tmp_path, profile):
    with override("en"):
        described = describe(profile, tables(profile))
    rows = {one.table.name: ROW for one in described}
    rows["absence_codes"] = ROW | dict.fromkeys(["visit", "limb"])  # as those of logs
    for one in described:
        types = {
            column.name: 25 if column.kind == Kind.TEXT else 23 for column in one.table.columns
        }
        row = [rows[one.table.name].get(name) for name in types]
        packages.put(tmp_path, one.table, types, [row])
    path = tmp_path / "dataset.xml"
    made = finished.Finished(tmp_path, described, packages.MOMENT, "c0c51bb")
    list(FORMATS["odm"].write(made, path))
    odm = open_odm(path)
    found = clinical(odm)
    for one in described:
        row = rows[one.table.name]
        names = [column.name for column in one.table.columns if row.get(column.name)]
        flagged = {"event_kind": (None, "unknown")} if one.table.name == "event" else {}
        assert found[one.table.name] == [{name: (row[name], "") for name in names} | flagged]
    define = tmp_path / "define.xml"
    FORMATS["dataset-json"].beside(made, tmp_path)
    said = metadata(odm.Study[0].MetaDataVersion[0])
    assert said.keys() == metadata(open_define(define).Study.MetaDataVersion).keys()
    forms = {one.OID: one.Name for one in odm.Study[0].MetaDataVersion[0].FormDef}
    assert forms["F.xray"] == "X-ray"
    assert forms["F.visits"] == "Visits"


def test_participants_stand_in_order_and_their_visits_in_that_of_the_plan(tmp_path):
    rows = [
        ("P1", visit, *ROWS[0][2:])
        for visit in ("BL", "HC-1", "M03", "M06", "M60", "UC-10", "UC-2", "UNS-1")
    ]
    _made, path = write(tmp_path, [*rows, ROWS[3]])
    first, second = open_odm(path).ClinicalData[0].SubjectData
    assert (first.SubjectKey, second.SubjectKey) == ("P1", "P2")
    assert [(one.StudyEventOID, one.StudyEventRepeatKey) for one in first.StudyEventData] == [
        ("SE.BL", None),
        ("SE.M03", None),
        ("SE.M06", None),
        ("SE.M60", None),
        ("SE.UC", "2"),
        ("SE.UC", "10"),
        ("SE.HC", "1"),
        ("SE.UNS", "1"),
    ]


def test_the_metadata_say_what_the_codebook_says(tmp_path):
    _made, path = write(tmp_path, ROWS, REASONS)
    version = open_odm(path).Study[0].MetaDataVersion[0]
    said = metadata(version)["looks"]
    assert list(said) == NAMES
    for name, (column, _type) in COLUMNS.items():
        assert said[name]["label"] == column.label
        assert said[name]["codes"] == column.choices
        assert said[name]["key"] == (KEYS.index(name) + 1 if name in KEYS else None)
        units = [ref.MeasurementUnitOID for ref in said[name]["item"].MeasurementUnitRef]
        assert units == ([f"MU.{column.unit}"] if column.unit else [])
    types = {name: said[name]["item"].DataType for name in NAMES}
    assert types == {
        "participant": "text",
        "visit": "text",
        "looks_class": "text",
        "looks_year": "text",
        LONG: "double",
        "looks_day": "integer",
        "looks_open": "integer",
        "looks_pain": "integer",
        "looks_code": "text",
    }
    assert said["looks_code"]["item"].Length == len(HOSTILE)
    ranks = {one.Name: [item.Rank for item in one.CodeListItem] for one in version.CodeList}
    assert ranks["looks_class"] == [1, 2, 3]
    assert ranks["looks_open"] == [None, None]
    events = {one.OID: one for one in version.StudyEventDef}
    assert [oid.removeprefix("SE.") for oid in events][1:] == [one.code for one in CURRENT.visits]
    assert [one.Repeating for one in events.values()] == ["No"] * 10 + ["Yes"] * 3
    assert [ref.FormOID for ref in events["SE.BL"].FormRef] == ["F.looks", "F.absence_codes"]
    assert [ref.FormOID for ref in events["SE.participant"].FormRef] == ["F.absence_codes"]


def test_ranges_and_how_a_column_is_made_are_told(tmp_path):
    made = packages.finished(tmp_path, ROWS)
    looks, absences = made.tables
    columns = tuple(
        dataclasses.replace(about, possible=(0.5, 9e8), expected=(1, 300), made="By a < b.")
        if about.column.name == LONG
        else about
        for about in looks.columns
    )
    described = [dataclasses.replace(looks, columns=columns), absences]
    path = tmp_path / "dataset.xml"
    list(FORMATS["odm"].write(dataclasses.replace(made, tables=described), path))
    girth = metadata(open_odm(path).Study[0].MetaDataVersion[0])["looks"][LONG]
    assert girth["made"] == "By a < b."
    checks = [
        (check.SoftHard, check.Comparator, check.CheckValue[0]._content)
        for check in girth["item"].RangeCheck
    ]
    assert checks == [
        ("Hard", "GE", "0.5"),
        ("Hard", "LE", "900000000"),
        ("Soft", "GE", "1"),
        ("Soft", "LE", "300"),
    ]


def test_the_same_rows_give_the_same_bytes_and_the_cut_off_is_the_moment_of_making(tmp_path):
    first, again = (write(tmp_path, ROWS, REASONS)[1].read_bytes() for _time in range(2))
    assert first == again
    odm = open_odm(tmp_path / "dataset.xml")
    assert dt.datetime.fromisoformat(odm.CreationDateTime) == packages.MOMENT
    assert odm.FileType == "Snapshot"
    assert odm.SourceSystemVersion == "c0c51bb"
    assert str(dt.datetime.now(dt.UTC).date()).encode() not in first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("looks_code", "a\x0bb"),
        ("looks_code", "\x7f\x1b[31m"),
        ("looks_code", "\ufffe"),
        (LONG, "nan"),
        (LONG, "-inf"),
        ("visit", None),
        ("visit", "M99"),
        ("visit", "M06-1"),
        ("visit", "UC"),
        ("visit", "UC-02"),
        ("visit", 'M06" x="'),
    ],
)
@pytest.mark.parametrize("batch", [1, 2048])
def test_what_it_cannot_hold_is_refused_by_its_cell(tmp_path, monkeypatch, name, value, batch):
    monkeypatch.setattr(finished, "BATCH", batch)
    row = list(ROWS[3])
    row[NAMES.index(name)] = value
    with pytest.raises(UnfitError) as refused:
        write(tmp_path, [*ROWS[:3], tuple(row), *ROWS[4:]])
    assert str(refused.value) == (
        f"looks, row 4 (P2, {row[1]}): the format cannot hold the value of {name}."
    )


def test_check_dataset_counts_its_rows_by_table(tmp_path):
    made, path = write(tmp_path, ROWS, REASONS)
    with path.open("rb") as file:
        found = WHOLE["odm"](file)
    assert found == {
        one.table.name: (
            [column.name for column in one.table.columns],
            {len(one.table.columns): made.rows(one.table.name)},
        )
        for one in made.tables
    }
    path.write_bytes(path.read_bytes()[:-9])
    with path.open("rb") as file, pytest.raises(ValueError, match="unclosed token"):
        WHOLE["odm"](file)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CELL = packages.CELL | {
    "participant": st.text("PQ\"<&' \n", min_size=1, max_size=3),
    "visit": st.sampled_from(["BL", "M03", "M60", "UC-1", "UC-12", "UNS-3"]),
    "looks_code": st.none() | TEXT.filter(lambda text: not NO_XML.search(text)),
}


@settings(max_examples=40, deadline=None)
@given(looks(CELL), st.integers(1, 4))
def test_any_rows_come_back(tmp_path_factory, drawn, batch):
    with patch.object(finished, "BATCH", batch):
        same(tmp_path_factory.mktemp("odm"), *drawn)


@given(st.characters(exclude_categories=["Cs"]))
def test_what_is_refused_is_what_no_xml_parser_reads(character):
    from xml.parsers import expat

    def parses():
        try:
            expat.ParserCreate().Parse(f'<a b="{character}"/>'.encode(), True)
        except expat.ExpatError:
            return False
        return True

    assert bool(NO_XML.search(character)) == (not parses() and character not in '"<&')
