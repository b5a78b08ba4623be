"""Dataset-JSON says what Parquet says, and Define-XML beside it what the codebook says."""

import dataclasses
import datetime as dt
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odmlib.dataset_json_1_1.model import DatasetJSON
from odmlib.define_2_1.rules.metadata_schema import MetadataSchema
from pyarrow import parquet

from registry.exports.formats import FORMATS, finished
from registry.exports.formats.variables import UnfitError
from registry.exports.verification import READERS, UNREADABLE

from . import test_packages as packages
from .cdisc import metadata, open_define
from .test_packages import COLUMNS, KEYS, LONG, NAMES, REASONS, ROWS

TYPES = {"looks_day": "integer", "looks_open": "integer", "looks_pain": "integer", LONG: "double"}


def write(folder, rows, reasons=()):
    """Every table and what goes beside them; table → file."""
    made = packages.finished(folder, rows, reasons)
    paths = {}
    for described in made.tables:
        name = described.table.name
        paths[name] = folder / f"{name}.json"
        assert FORMATS["dataset-json"].write(made, described, paths[name]) == {}
    FORMATS["dataset-json"].beside(made, folder)
    return made, paths


def same(folder, rows, reasons=()):
    """Assert that the files hold the rows, each value as Parquet has it."""
    made, paths = write(folder, rows, reasons)
    for name, path in paths.items():
        read = DatasetJSON.read_json(str(path))
        want = parquet.read_table(made.path(name))
        assert read.column_names == want.column_names
        assert read.records == want.num_rows
        found = [dict(zip(read.column_names, row, strict=True)) for row in read.rows or []]
        assert repr(found) == repr(want.to_pylist())  # 1 is not 1.0


def test_every_value_arrives(tmp_path):
    same(tmp_path, ROWS, REASONS)


def test_an_empty_table_has_its_columns(tmp_path):
    same(tmp_path, [])
    open_define(tmp_path / "define.xml")


def test_a_file_says_what_it_is_and_names_its_metadata(tmp_path):
    _made, paths = write(tmp_path, ROWS, REASONS)
    define = open_define(tmp_path / "define.xml")
    assert define.verify_conformance(MetadataSchema())
    version = define.Study.MetaDataVersion
    groups = {group.Name: group for group in version.ItemGroupDef}
    items = {item.OID: item for item in version.ItemDef}
    for name, path in paths.items():
        about = DatasetJSON.read_json(str(path))
        assert dt.datetime.fromisoformat(about.datasetJSONCreationDateTime) == packages.MOMENT
        assert about.datasetJSONVersion == "1.1.0"
        assert about.sourceSystem.to_dict() == {"name": "Saphena", "version": "c0c51bb"}
        assert (about.name, about.label) == (name, name.title())
        assert about.metaDataRef == "define.xml"
        assert about.studyOID == define.Study.OID
        assert about.metaDataVersionOID == version.OID
        group = groups[name]
        assert about.itemGroupOID == group.OID
        assert (group.leaf.ID, group.leaf.href) == (group.ArchiveLocationID, path.name)
        assert [column.itemOID for column in about.columns] == [
            one.ItemOID for one in group.ItemRef
        ]
        for column, ref in zip(about.columns, group.ItemRef, strict=True):
            item = items[ref.ItemOID]
            assert column.name == item.Name
            assert column.keySequence == ref.KeySequence
            assert column.dataType == TYPES.get(column.name, "string")
            assert item.DataType == {"double": "float", "string": "text"}.get(
                column.dataType, column.dataType
            )
            assert column.length in (None, item.Length)
            assert (column.length is None) == (column.dataType != "string")


def test_define_says_what_the_codebook_says(tmp_path):
    made, _paths = write(tmp_path, ROWS, REASONS)
    looks, absences = made.tables
    columns = tuple(
        dataclasses.replace(about, made="By a < b." if about.key else "") for about in looks.columns
    )
    tables = [dataclasses.replace(looks, columns=columns), absences]
    FORMATS["dataset-json"].beside(dataclasses.replace(made, tables=tables), tmp_path)
    said = metadata(open_define(tmp_path / "define.xml").Study.MetaDataVersion)
    assert list(said) == ["looks", "absence_codes"]
    assert list(said["looks"]) == NAMES
    for name, (column, _type) in COLUMNS.items():
        about = said["looks"][name]
        assert about["label"] == column.label + (f" [{column.unit}]" if column.unit else "")
        assert about["codes"] == column.choices
        assert about["key"] == (KEYS.index(name) + 1 if name in KEYS else None)
        assert about["made"] == ("By a < b." if name in KEYS else "")
        (origin,) = about["item"].Origin
        assert origin.Type == ("Derived" if name in KEYS else "Collected")
    girth = said["looks"][LONG]["item"]
    assert (girth.Length, girth.SignificantDigits) == (len("123456.125"), 3)
    assert said["looks"]["looks_day"]["item"].Length == len("214748")


def test_the_same_rows_give_the_same_bytes_and_the_cut_off_is_the_moment_of_making(tmp_path):
    def written():
        write(tmp_path, ROWS, REASONS)
        return [path.read_bytes() for path in sorted(tmp_path.glob("*.[jx]*"))]

    first, again = written(), written()
    assert first == again
    assert len(first) == 3
    assert str(dt.datetime.now(dt.UTC).date()).encode() not in b"".join(first)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("batch", [1, 2048])
def test_what_is_no_number_is_refused_by_its_cell(tmp_path, monkeypatch, value, batch):
    monkeypatch.setattr(finished, "BATCH", batch)
    row = list(ROWS[2])
    row[NAMES.index(LONG)] = value
    with pytest.raises(UnfitError, match=f"looks, row 3 \\(P2, BL\\).*{LONG}"):
        write(tmp_path, [*ROWS[:2], tuple(row)])


def test_check_dataset_reads_it_row_by_row(tmp_path):
    _made, paths = write(tmp_path, ROWS, REASONS)
    path = paths["looks"]
    with path.open("rb") as file:
        assert READERS["dataset-json"](file) == (NAMES, {len(NAMES): len(ROWS)})
    lines = path.read_text().splitlines(keepends=True)
    for broken in ("".join(lines[:5]), "".join(lines[:-2]) + '["P1",\n'):
        path.write_text(broken)
        with path.open("rb") as file, pytest.raises(UNREADABLE):
            READERS["dataset-json"](file)


CELL = packages.CELL | {
    "looks_code": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    LONG: st.none() | st.floats(allow_nan=False, allow_infinity=False).map(repr),
}


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(*CELL.values()), max_size=8), batch=st.integers(1, 9))
def test_any_rows_come_back(tmp_path_factory, rows, batch):
    folder = tmp_path_factory.mktemp("json")
    with patch.object(finished, "BATCH", batch):
        same(folder, rows)
    with (folder / "looks.json").open("rb") as file:
        _columns, widths = READERS["dataset-json"](file)
    assert widths == ({len(NAMES): len(rows)} if rows else {})
