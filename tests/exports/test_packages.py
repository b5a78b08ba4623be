"""Stata, SPSS and SAS files say what Parquet says: values, labels, reasons for missing values."""

import datetime as dt
import math
import re
from itertools import chain

import numpy as np
import pandas
import pyarrow as pa
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.io.stata import StataMissingValue

from registry.core import codebook
from registry.core.dictionary import ABSENCE_CODES, Kind
from registry.exports.about.codebook import Described, DescribedTable
from registry.exports.formats import FORMATS, coding, spss, stata
from registry.exports.formats.finished import Finished
from registry.exports.formats.variables import TruncatedError, UnfitError
from registry.exports.profiles import Column
from registry.exports.tables import Table

from .test_parquet import as_csv

TEXT, FLOAT, INT, SMALL = 25, 1700, 23, 21
CODES = {"C0": "none", "C4a": "pigmentation, “or” 'eczema'", "C6": "潰瘍"}
LONG = "looks_ankle_circumference_of_the_worse_leg"
COLUMNS = {
    "participant": (Column("participant", "Participant", Kind.TEXT, None), TEXT),
    "visit": (Column("visit", "Visit", Kind.TEXT, None), TEXT),
    "looks_class": (
        Column(
            "looks_class", "Class", Kind.CHOICE, None, choices=CODES, item="class", ordered=True
        ),
        TEXT,
    ),
    "looks_year": (
        Column("looks_year", "Year", Kind.CHOICE, None, choices={"2020": "new", "1994": "old"}),
        TEXT,
    ),
    LONG: (Column(LONG, "Girth", Kind.NUMBER, None, unit="mm", item="girth"), FLOAT),
    "looks_day": (Column("looks_day", "Day", Kind.NUMBER, None, unit="d", item="day"), INT),
    "looks_open": (
        Column(
            "looks_open", "Open", Kind.YES_NO, None, choices={"0": "no", "1": "yes"}, item="open"
        ),
        INT,
    ),
    "looks_pain": (
        Column("looks_pain", "Pain", Kind.SCORE, None, choices={"0": "0", "1": "1"}, ordered=True),
        SMALL,
    ),
    "looks_code": (Column("looks_code", "Code", Kind.TEXT, None, item="code"), TEXT),
}
ABSENT = {"looks_class": "class", LONG: "girth", "looks_day": "day", "looks_open": "open"}
ABSENT |= {"looks_code": "code"}
KEYS = ("participant", "visit")
NAMES = list(COLUMNS)
MOMENT = dt.datetime(2026, 3, 1, 8, 9, 10, tzinfo=dt.UTC)


def table_of(name, columns, keys):
    return Table(name, name.title(), "", tuple(columns[:keys]), tuple(columns[keys:]), None)


def describe(table, absent=()):
    return DescribedTable(
        table,
        tuple(
            Described(column, column in table.keys, "", None, None, column.name in absent, "", "")
            for column in table.columns
        ),
        {},
    )


def put(folder, table, types, rows):
    """A Parquet file as a build writes it."""
    writer = FORMATS["parquet"].writer(folder / f"{table.name}.parquet", table, types)
    for start in range(0, len(rows), 3):
        some = rows[start : start + 3]
        text = "".join(",".join(map(as_csv, row)) + "\r\n" for row in some)
        writer.write(text.encode(), len(some))
    writer.close()


def finished(folder, rows, reasons=()):
    """The tables ``looks`` and ``absence_codes`` of a dataset; reasons are (row, item, code)."""
    columns = [
        Column(**{**vars(column), "form": "looks" if column.item else ""})
        for column, _type in COLUMNS.values()
    ]
    looks = table_of("looks", columns, 2)
    put(folder, looks, {name: COLUMNS[name][1] for name in NAMES}, rows)
    keys = ["participant", "visit", "form", "limb", "occurrence", "item"]
    absences = table_of(
        "absence_codes",
        [
            *(Column(key, key, Kind.TEXT, None) for key in keys),
            Column("code", "Code", Kind.CHOICE, None, choices=dict(ABSENCE_CODES)),
        ],
        6,
    )
    lines = [(*rows[row][:2], "looks", None, None, item, code) for row, item, code in reasons]
    put(folder, absences, dict.fromkeys([*keys, "code"], TEXT), lines)
    described = [describe(looks, ABSENT), describe(absences)]
    return Finished(folder, described, MOMENT, "c0c51bb")


def written(folder, form, *args):
    made = finished(folder, *args)
    path = folder / f"looks{FORMATS[form].suffix}"
    names = FORMATS[form].write(made, made.tables[0], path)
    return path, names


READ = {
    # pyreadstat takes "." for a number where a variable has .a as well.
    "stata": lambda path: pandas.read_stata(path, convert_categoricals=False, convert_missing=True),
    "spss": lambda path: pyreadstat.read_sav(path, user_missing=True)[0],
    "xpt": lambda path: pyreadstat.read_xport(path)[0],
}
FORMS = list(READ)


def expected(name, value):
    """A value of Parquet as a package holds it: codes as numbers, by the codebook alone."""
    column = COLUMNS[name][0]
    if column.kind == Kind.TEXT:
        return value or ""
    if value is None:
        return None
    if column.kind == Kind.CHOICE:
        codes = list(column.choices)
        return float(value) if value.isdigit() else codes.index(value) + 1.0
    return float(value)


def reason(form, value):
    """The reason that a missing value says; '' where it says none."""
    codes = list(ABSENCE_CODES)
    if form == "stata":
        assert isinstance(value, StataMissingValue)
        return {".": "", **{f".{'abcde'[place]}": code for place, code in enumerate(codes)}}[
            value.string
        ]
    if math.isnan(value):
        return ""
    assert form == "spss"
    return codes[int(value) + 999_999]


def same(form, rows, reasons, folder):
    """Assert that a file holds the rows and the reasons, and nothing else."""
    path, names = written(folder, form, rows, reasons)
    frame = READ[form](path)
    assert len(frame) == len(rows)
    assert list(frame.columns) == list(names.values())
    said = {(row, item): code for row, item, code in reasons}
    for name, item in [(name, ABSENT.get(name)) for name in NAMES]:
        values = frame[names[name]].tolist()
        for row, value in enumerate(values):
            want = expected(name, rows[row][NAMES.index(name)])
            if want is not None:
                assert value == want
            else:
                known = said.get((row, item), "") if form != "xpt" else ""
                assert reason(form, value) == known
    beside = [item for item in ABSENT.values() if form == "xpt" or item == "code"]
    for item in beside:
        for row, value in enumerate(frame[names[f"looks_{item}_absent"]].tolist()):
            if code := said.get((row, item)):
                assert value == list(ABSENCE_CODES).index(code) + 1
            else:
                assert reason(form, value) == ""
    assert len(names) == len(NAMES) + len(beside)


ROWS = [
    ("P1", "BL", "C6", "2020", "2.400", "-97", "1", "1", "11223"),
    ("P1", None, None, None, None, None, None, None, None),
    ("P2", "BL", "C4a", "1994", "0.001", "-9999", "0", "0", "佐藤"),
    ("P2", "M03", "C0", None, "123456.125", "214748", None, None, '=cmd|"/C calc",\r\n;'),
    ("P3", "BL", None, "2020", None, None, None, "1", "007"),
]
REASONS = [
    (1, "class", "not_done"),
    (1, "girth", "unknown"),
    (1, "day", "not_applicable"),
    (1, "open", "refused"),
    (4, "class", "not_assessable"),
    (4, "girth", "not_done"),
    (1, "code", "refused"),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_value_and_every_reason_arrives(tmp_path, form):
    same(form, ROWS, REASONS, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_table_has_its_columns(tmp_path, form):
    same(form, [], [], tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_give_the_same_bytes_and_the_cut_off_is_the_moment_of_making(tmp_path, form):
    first, again = (written(tmp_path, form, ROWS, REASONS)[0].read_bytes() for _time in range(2))
    assert first == again
    said = {
        "stata": b"01 Mar 2026 08:09",
        "spss": b"01 Mar 2608:09:10",
        "xpt": b"01MAR26:08:09:10",
    }[form]
    assert said in first
    today = dt.datetime.now(dt.UTC)
    for written_as in ("%d %b %Y", "%d %b %y", "%d%b%y"):
        assert today.strftime(written_as).upper().encode() not in first.upper()


def meta_of(tmp_path, form):
    path, names = written(tmp_path, form, ROWS, REASONS)
    read = {"stata": pyreadstat.read_dta, "spss": pyreadstat.read_sav, "xpt": pyreadstat.read_xport}
    return read[form](path)[1], names


@pytest.mark.parametrize("form", FORMS)
def test_variables_have_their_labels_and_units(tmp_path, form):
    meta, names = meta_of(tmp_path, form)
    labels = meta.column_names_to_labels
    assert labels[names["looks_class"]] == "Class"
    assert labels[names[LONG]] == "Girth [mm]"
    assert labels[names["looks_code_absent"]] == "Why code is missing"
    assert (meta.file_label or meta.table_name) == {"xpt": "Looks"}.get(form, "Looks")


@pytest.mark.parametrize("form", ["stata", "spss"])
def test_values_have_their_labels_the_missing_ones_too(tmp_path, form):
    meta, names = meta_of(tmp_path, form)
    labels = meta.variable_value_labels
    why = list(ABSENCE_CODES.values())
    missing = dict(zip("abcde", why, strict=True))
    if form == "spss":
        missing = {float(-999_999 + place): text for place, text in enumerate(why)}
    assert labels[names["looks_class"]] == dict(enumerate(CODES.values(), 1)) | missing
    assert labels[names["looks_year"]] == {2020: "new", 1994: "old"}
    assert labels[names["looks_open"]] == {0: "no", 1: "yes"} | missing
    assert labels[names[LONG]] == missing
    assert labels[names["looks_code_absent"]] == dict(enumerate(why, 1))
    assert names["looks_code"] not in labels


def test_spss_knows_measures_and_which_values_are_missing(tmp_path):
    path, names = written(tmp_path, "spss", ROWS, REASONS)
    meta = pyreadstat.read_sav(path, user_missing=True)[1]
    measures = {name: meta.variable_measure[names[name]] for name in NAMES}
    assert measures == {
        "participant": "nominal",
        "visit": "nominal",
        "looks_class": "ordinal",
        "looks_year": "nominal",
        LONG: "scale",
        "looks_day": "scale",
        "looks_open": "nominal",
        "looks_pain": "ordinal",
        "looks_code": "nominal",
    }
    shown = {name: meta.original_variable_types[names[name]] for name in ("looks_day", LONG)}
    assert shown == {"looks_day": "F8.0", LONG: "F12.4"}
    ranges = [{"lo": -999_999, "hi": -999_995}]
    able = {"looks_class", LONG, "looks_day", "looks_open"}
    assert meta.missing_ranges == {names[name]: ranges for name in able}
    frame = pyreadstat.read_sav(path)[0]
    assert frame[names["looks_class"]].isna().tolist() == [False, True, False, False, True]


def test_sas_reads_the_labels_of_values_from_a_program(tmp_path):
    made = finished(tmp_path, ROWS, REASONS)
    FORMATS["xpt"].beside(made, tmp_path)
    program = (tmp_path / "formats.sas").read_text()
    formats = dict(re.findall(r"^  value (\w+)\n(.*?);$", program, re.MULTILINE | re.DOTALL))
    assert all(len(name) <= 32 and not name[-1].isdigit() for name in formats)
    of_variables = dict(re.findall(r"^      (\w+) (\w+)\.", program, re.MULTILINE))
    labels = {
        int(number): text.replace("''", "'")
        for number, text in re.findall(
            r"^    (\d+) = '(.*)'$", formats[of_variables["looks_class"]], re.MULTILINE
        )
    }
    assert labels == dict(enumerate(CODES.values(), 1))
    assert of_variables["looks_class_absent"] == of_variables["code"]  # of absence_codes


def test_the_sas_program_is_statements_and_one_comment(tmp_path):
    """A comment by * would end at its first semicolon, its quotes and macros would count."""
    FORMATS["xpt"].beside(finished(tmp_path, ROWS, REASONS), tmp_path)
    program = (tmp_path / "formats.sas").read_text()
    assert program.startswith("/*")
    assert program.count("/*") == program.count("*/") == 1
    code = program.partition("*/")[2]
    code = re.sub(r"'(?:[^']|'')*'", "text", code)  # a quote within a text is doubled
    code = re.sub(r'%xpt2loc\(libref=&library, memlist=\w+, filespec="[^"]*"\)', "", code)
    assert not set(code) & set("'\"")
    *statements, rest = (one.split() for one in code.split(";"))
    assert rest == []
    begun = {one[0] for one in statements}
    assert begun == {"proc", "value", "run", "%macro", "modify", "format", "quit", "%mend"}


@pytest.mark.parametrize(
    ("form", "name", "value"),
    [
        ("spss", "looks_code", "ends in a space "),
        ("xpt", "looks_code", "ends in a space "),
        ("stata", "looks_code", "ü" * 1_100),
        ("spss", "looks_code", "x" * 33_000),
        ("xpt", "looks_code", "x" * 33_000),
        ("spss", LONG, "-999997"),
        ("xpt", LONG, "1e76"),
        ("xpt", LONG, "1e-79"),
        ("stata", LONG, "9e307"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_by_its_cell(tmp_path, form, name, value):
    row = list(ROWS[2])
    row[NAMES.index(name)] = value
    with pytest.raises(UnfitError, match=f"looks, row 3 \\(P2, BL\\).*{name}"):
        written(tmp_path, form, [*ROWS[:2], tuple(row), *ROWS[3:]])


@pytest.mark.parametrize(
    ("form", "value"),
    [("stata", " x "), ("stata", "ü" * 1_000), ("spss", "y" * 300), ("xpt", " x")],
)
def test_what_it_can_hold_arrives(tmp_path, form, value):
    row = (*ROWS[2][:8], value)
    same(form, [*ROWS[:2], row, *ROWS[3:]], REASONS, tmp_path)


def test_no_item_reaches_the_reasons_of_spss():
    ranges = [one.item.possible for one in codebook.entries() if one.item.possible]
    assert max(map(abs, chain(*ranges))) < spss.LIMITS.largest == 999_994


@pytest.mark.parametrize("form", ["stata", "xpt"])
def test_numbers_beyond_the_reasons_of_spss_arrive_elsewhere(tmp_path, form):
    row = (*ROWS[2][:4], "-123456789.125", "-999999", *ROWS[2][6:])
    same(form, [*ROWS[:2], row, *ROWS[3:]], REASONS, tmp_path)


@pytest.mark.parametrize("day", [2_147_483_620, 2_147_483_621, 2**31 - 1, -(2**31) + 1, -(2**31)])
def test_stata_numbers_near_its_missing_values_stay_numbers(tmp_path, day):
    row = (*ROWS[2][:5], str(day), *ROWS[2][6:])
    same("stata", [*ROWS[:2], row, *ROWS[3:]], REASONS, tmp_path)


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("most", [True, False])
def test_stata_whole_numbers_are_as_wide_as_need_be(kind, most):
    limits = np.iinfo(kind)
    value = limits.max if most else limits.min
    held = stata._whole(pa.array(np.array([value, 0], kind)))
    assert held.dtype.itemsize > np.dtype(kind).itemsize or held.dtype.kind == "f"
    assert held.tolist() == [value, 0] or kind == "i8"
    assert stata._whole(pa.array(np.array([100, 0], "i1"))).dtype == "i1"


@pytest.mark.parametrize("form", ["spss", "xpt"])
@pytest.mark.parametrize("rows", [1, 2, 5, 40])
@pytest.mark.parametrize("lost", [80, 500, 0.3])
def test_a_full_disk_is_noticed_though_pyreadstat_says_nothing(
    tmp_path, monkeypatch, form, rows, lost
):
    """Its write errors are lost: what was not written is missing at the end."""
    name = {"spss": "write_sav", "xpt": "write_xport"}[form]
    write = getattr(pyreadstat, name)

    def cut(frame, path, **about):
        write(frame, path, **about)
        size = path.stat().st_size
        kept = size - lost if lost > 1 else int(size * (1 - lost))
        with path.open("r+b") as file:
            file.truncate(max(kept, 0))

    monkeypatch.setattr(pyreadstat, name, cut)
    many = [(f"P{number}", *ROWS[0][1:]) for number in range(rows)]
    with pytest.raises(TruncatedError, match="could not be written whole"):
        written(tmp_path, form, many)
    with pytest.raises(TruncatedError):
        written(tmp_path, form, [])


CELL = {
    "participant": st.text(min_size=1, max_size=3, alphabet="PQ"),
    "visit": st.sampled_from([None, "BL", "M03", "UNS 1"]),
    "looks_class": st.none() | st.sampled_from(list(CODES)),
    "looks_year": st.sampled_from([None, "2020", "1994"]),
    LONG: st.none() | st.decimals(-900_000, 900_000, places=3).map(lambda one: f"{one:f}"),
    "looks_day": st.none() | st.integers(-900_000, 900_000).map(str),
    "looks_open": st.sampled_from([None, "0", "1"]),
    "looks_pain": st.sampled_from([None, "0", "1"]),
    "looks_code": st.none()
    | st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
    ).filter(lambda text: text.rstrip(" ") == text),
}


@st.composite
def looks(draw, cells=CELL):
    """Rows of the table, sorted by their keys, and reasons for some of what is missing."""
    rows = draw(st.lists(st.tuples(*cells.values()), max_size=8, unique_by=lambda row: row[:2]))
    rows.sort(key=lambda row: (row[0], row[1] or ""))
    empty = [
        (row, item)
        for row, values in enumerate(rows)
        for name, item in ABSENT.items()
        if values[NAMES.index(name)] is None
    ]
    codes = st.sampled_from(list(ABSENCE_CODES))
    return rows, [(*cell, draw(codes)) for cell in empty if draw(st.booleans())]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(looks())
def test_any_rows_come_back_from_each(tmp_path_factory, form, drawn):
    same(form, *drawn, tmp_path_factory.mktemp(form))


@given(
    st.lists(st.from_regex(r"[a-zA-Z]{1,9}(_[a-zA-Z0-9]{1,12}){0,5}", fullmatch=True), unique=True)
)
def test_names_fit_and_none_is_given_twice(names):
    called = coding.unique(names)
    assert list(called) == names
    assert len({name.lower() for name in called.values()}) == len(names)
    assert all(1 <= len(name) <= 32 for name in called.values())
    alone = [name for name in names if len(name) <= 32]
    if len({name.lower() for name in names}) == len(names) == len(alone):
        assert list(called.values()) == names
