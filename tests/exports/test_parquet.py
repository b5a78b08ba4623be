"""Parquet says what CSV says: every value, with types, codes and labels."""

import csv
import gzip
import io
import json

import pandas
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from registry.core.dictionary import Kind
from registry.exports.formats import FORMATS
from registry.exports.profiles import Column
from registry.exports.tables import Table
from registry.exports.writers import UnknownValueError

TEXT, NUMERIC, INT = 25, 1700, 23
CODES = {"C0": "none", "C6": "ulcer, “open”"}


def table():
    columns = [
        Column("participant", "Participant", Kind.TEXT, None),
        Column("note", "As typed", Kind.TEXT, None),
        Column("class", "Class", Kind.CHOICE, None, choices=CODES),
        Column("area", "Area", Kind.NUMBER, None, unit="mm²"),
        Column("open", "Open", Kind.YES_NO, None, choices={"0": "no", "1": "yes"}),
    ]
    return Table("looks", "Looks", "", tuple(columns[:1]), tuple(columns[1:]), None)


TYPES = {"participant": TEXT, "note": TEXT, "class": TEXT, "area": NUMERIC, "open": INT}


def as_csv(value):
    """As PostgreSQL writes it: nothing for NULL, quotes where they are needed."""
    if value is None:
        return ""
    text = str(value)
    if text == "" or set(text) & set(',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def written(tmp_path, rows, form="parquet", at_once=3):
    path = tmp_path / "looks"
    writer = FORMATS[form].writer(path, table(), TYPES)
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        lines = [",".join(map(as_csv, row)) + "\r\n" for row in some]
        writer.write("".join(lines).encode(), len(some))
    writer.close()
    assert writer.rows == len(rows)
    return path


ROWS = [
    ("P1", "007", "C6", "2.400", "1"),
    ("P1", '=cmd|"/C calc",\r\n;x\ty', None, None, None),
    ("P2", "佐藤 \u2028 é", "C0", "0.001", "0"),
    ("P2", "", "C0", "-12", "0"),
    ("P3", None, "C6", "1e3", None),
    ("P3", "NA", "C6", "0", None),
    ("P3", "null", "C6", "123456789.125", None),
]


def test_values_arrive_exactly_with_types(tmp_path):
    frame = pandas.read_parquet(written(tmp_path, ROWS))
    found = frame.astype(object).where(frame.notna(), None).values.tolist()
    assert [[row[0], row[1], row[2]] for row in found] == [list(row[:3]) for row in ROWS]
    assert [row[3] for row in found] == [None if r[3] is None else float(r[3]) for r in ROWS]
    assert [row[4] for row in found] == [None if r[4] is None else int(r[4]) for r in ROWS]


def test_codes_stand_in_the_order_of_the_codebook_and_labels_go_along(tmp_path):
    path = written(tmp_path, ROWS)
    frame = pandas.read_parquet(path)
    assert list(frame["class"].cat.categories) == list(CODES)
    schema = parquet.read_schema(path)
    about = {name: schema.field(name).metadata for name in schema.names}
    assert json.loads(about["class"][b"choices"]) == CODES
    assert about["area"] == {b"label": b"Area", b"unit": "mm²".encode()}
    assert schema.metadata[b"label"] == b"Looks"
    assert schema.field("open").type == pa.int8()


def test_a_code_that_the_codebook_does_not_know_stops_the_file(tmp_path):
    with pytest.raises(UnknownValueError, match=r"looks\.class"):
        written(tmp_path, [*ROWS, ("P4", "x", "C7", None, None)])


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("number", [0, 1, 3, 4, 12, 50])
def test_blocks_leave_no_seam_and_bytes_are_the_same_again(tmp_path, form, number):
    rows = (ROWS * 10)[:number]
    first = written(tmp_path, rows, form).read_bytes()
    assert written(tmp_path, rows, form).read_bytes() == first
    if form == "parquet":
        assert parquet.read_table(io.BytesIO(first)).num_rows == number
    else:
        read = pandas.read_csv(io.BytesIO(first), compression="gzip", dtype=str)
        assert len(read) == number


LINE = st.tuples(
    st.text(min_size=1, max_size=4, alphabet="PQ"),
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.none() | st.sampled_from(list(CODES)),
    st.none() | st.decimals(-(10**6), 10**6, places=3).map(lambda one: f"{one:f}"),
    st.sampled_from([None, "0", "1"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, max_size=9))
def test_any_text_comes_back_from_both(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("round")
    frame = parquet.read_table(written(folder, rows))
    assert frame["note"].to_pylist() == [row[1] for row in rows]
    assert frame["class"].to_pylist() == [row[2] for row in rows]
    with gzip.open(written(folder, rows, "csv"), "rt", newline="", encoding="utf-8") as file:
        found = list(csv.reader(file, strict=True))[1:]
    assert found == [["" if value is None else value for value in row] for row in rows]
