"""Datasets in every format: what is made of the tables holds them, and proves itself."""

import dataclasses
import io
import json
import re

import pyreadstat
import pytest
from odmlib.dataset_json_1_1.model import DatasetJSON
from pyarrow import parquet

from registry.core.dictionary import ABSENCE_CODES
from registry.exports import formats, tasks
from registry.exports.formats import FORMATS, made
from registry.exports.profiles import PROFILES
from registry.exports.verification import problems
from registry.exports.words import stage
from registry.exports.writers import ParquetWriter

from . import test_packages as packages
from .cdisc import clinical, metadata, open_define, open_odm, same_rows
from .conftest import made as made_of
from .conftest import stored

EVERY = list(FORMATS)
PACKAGES = list(packages.READ)


@pytest.fixture
def opened(finished):
    return finished["limited"]


def package(opened, form, table, folder):
    path = folder / f"table{FORMATS[form].suffix}"
    path.write_bytes(opened.files[FORMATS[form].name_of(table)])
    return packages.READ[form](path)


def in_package(value, codes):
    """A value of Parquet as packages hold it; ``codes`` are those of its column's codebook."""
    if isinstance(value, str) and codes:
        return int(value) if all(code.isdigit() for code in codes) else codes.index(value) + 1
    return value


@pytest.mark.parametrize("form", PACKAGES)
def test_every_table_says_what_parquet_says(opened, form, tmp_path):
    described = json.loads(opened.files["codebook.json"])
    for about in described["tables"]:
        table = about["table"]
        rows = parquet.read_table(io.BytesIO(opened.files[f"parquet/{table}.parquet"]))
        frame = package(opened, form, table, tmp_path)
        names = next(one for one in opened.manifest["tables"] if one["table"] == table)["names"]
        assert list(frame.columns) == list(names[form].values())
        assert len(frame) == rows.num_rows
        for column in about["columns"]:
            codes = [choice["code"] for choice in column["choices"]]
            found = frame[names[form][column["column"]]].tolist()
            for value, want in zip(found, rows[column["column"]].to_pylist(), strict=True):
                want = in_package(want, codes)
                if want is not None:
                    assert value == want
                elif not isinstance(value, str):
                    packages.reason(form, value)  # it is one of the missing values
                else:
                    assert value == ""


@pytest.mark.parametrize("form", PACKAGES)
def test_reasons_stand_where_the_table_of_absence_codes_says(opened, form, tmp_path):
    codes = parquet.read_table(io.BytesIO(opened.files["parquet/absence_codes.parquet"]))
    said = [row for row in codes.to_pylist() if row["form"] == "laboratory"]
    assert said
    frame = package(opened, form, "laboratory", tmp_path)
    of_table = frame.set_index(["participant", "visit"])
    for row in said:
        name = f"laboratory_{row['item']}"
        if form == "xpt":
            found = of_table.loc[(row["participant"], row["visit"]), f"{name}_absent"]
            assert found == list(ABSENCE_CODES).index(row["code"]) + 1
        else:
            found = of_table.loc[(row["participant"], row["visit"]), name]
            assert packages.reason(form, found) == row["code"]


def parquet_of(opened, table):
    return parquet.read_table(io.BytesIO(opened.files[f"parquet/{table}.parquet"])).to_pylist()


def reasons_of(opened, about):
    """(*key, column) → why it is missing, of a table of the codebook."""
    of_rows = {}
    for row in parquet_of(opened, "absence_codes"):
        place = row | {"ulcer": row["occurrence"]}
        key = [place[name] for name in about["keys"] if name in place]
        for column in about["columns"]:
            if (column["form"], column["item"]) == (row["form"], row["item"]):
                of_rows[*key, column["column"]] = row["code"]
    return of_rows


def labels_of(about):
    """Column → its codes with their labels."""
    return {
        column["column"]: {choice["code"]: choice["label"] for choice in column["choices"]}
        for column in about["columns"]
    }


@pytest.mark.parametrize("form", PACKAGES)
def test_every_label_is_that_of_the_codebook(opened, form, tmp_path):
    """Of variables, with their units, and of their values, the missing ones among them."""
    read = {"stata": pyreadstat.read_dta, "spss": pyreadstat.read_sav, "xpt": pyreadstat.read_xport}
    words = list(ABSENCE_CODES.values())
    missing = {
        "stata": dict(zip("abcde", words, strict=True)),
        "spss": dict(enumerate(words, -999_999)),
    }
    able = 0
    for about in json.loads(opened.files["codebook.json"])["tables"]:
        path = tmp_path / f"table{FORMATS[form].suffix}"
        path.write_bytes(opened.files[FORMATS[form].name_of(about["table"])])
        meta = read[form](path, metadataonly=True)[1]
        [made_of] = [one for one in opened.manifest["tables"] if one["table"] == about["table"]]
        names, labels = made_of["names"][form], labels_of(about)
        for column in about["columns"]:
            name, unit = names[column["column"]], f" [{column['unit']}]" if column["unit"] else ""
            assert meta.column_names_to_labels[name] == column["label"] + unit
            if form == "xpt":
                continue
            codes = labels[column["column"]]
            held = dict(meta.variable_value_labels.get(name, {}))
            why = {value: held.pop(value) for value in missing[form] if value in held}
            assert why in ({}, missing[form])
            able += bool(why)
            assert held == {in_package(code, list(codes)): text for code, text in codes.items()}
    assert able or form == "xpt"


def test_odm_says_what_parquet_and_the_codebook_say(opened, tmp_path):
    path = tmp_path / "dataset.xml"
    path.write_bytes(opened.files["odm/dataset.xml"])
    odm = open_odm(path)
    rows, said = clinical(odm), metadata(odm.Study[0].MetaDataVersion[0])
    described = json.loads(opened.files["codebook.json"])["tables"]
    assert list(rows) == list(said) == opened.tables
    flagged = 0
    for about in described:
        table = about["table"]
        reasons = {} if table == "absence_codes" else reasons_of(opened, about)
        flagged += len(reasons)
        same_rows(rows[table], parquet_of(opened, table), about["keys"], reasons)
        assert {name: one["codes"] for name, one in said[table].items()} == labels_of(about)
        for column in about["columns"]:
            assert said[table][column["column"]]["label"] == column["label"]
            assert said[table][column["column"]]["made"] == column["made"]
    assert flagged
    assert opened.manifest["files"] == {"odm": "odm/dataset.xml"}


def test_dataset_json_says_what_parquet_says_and_define_what_the_codebook_says(opened, tmp_path):
    path = tmp_path / "define.xml"
    path.write_bytes(opened.files["dataset-json/define.xml"])
    said = metadata(open_define(path).Study.MetaDataVersion)
    described = json.loads(opened.files["codebook.json"])["tables"]
    assert list(said) == opened.tables
    for about in described:
        table = about["table"]
        read = DatasetJSON.from_json(opened.files[f"dataset-json/{table}.json"].decode())
        names = read.column_names
        found = [dict(zip(names, row, strict=True)) for row in read.rows or []]
        assert repr(found) == repr(parquet_of(opened, table))
        assert names == [column["column"] for column in about["columns"]]
        assert {name: one["codes"] for name, one in said[table].items()} == labels_of(about)


def test_it_proves_itself(opened, tmp_path):
    path = tmp_path / "dataset.zip"
    path.write_bytes(opened.data)
    assert list(problems(path)) == []


def test_parquet_goes_along_only_where_it_is_asked_for(built):
    opened = built(formats=["stata"], forms=["vcss"])
    folders = {name.partition("/")[0] for name in opened.files if "/" in name}
    assert folders == {"stata"}


@pytest.mark.parametrize("form", made(EVERY))
def test_a_table_that_a_format_cannot_take_is_refused_before_it_is_written(
    order, form, monkeypatch
):
    small = dataclasses.replace(FORMATS[form], most_values=3)
    monkeypatch.setattr(formats, "FORMATS", FORMATS | {form: small})
    monkeypatch.setattr(ParquetWriter, "write", None)  # nothing is written before
    dataset = order(formats=[form])
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == "failed"
    assert re.fullmatch(
        r"participants: its \d+ values are more than .* takes, which is 3\. .*", dataset.error
    )
    assert stored() == []


def test_the_bar_counts_the_rows_of_every_pass(order):
    dataset = order(formats=["csv", "stata", "odm"], forms=["ceap"])
    opened = made_of(dataset)
    rows = sum(one["delivered"] for one in opened.manifest["tables"])
    assert dataset.rows_done == dataset.rows_expected == 3 * rows


def test_the_page_says_which_file_is_being_written():
    profile = PROFILES["limited"]
    assert stage("odm", profile) == "writing CDISC ODM"
    assert stage("stata:vcss", profile) == "writing “VCSS” for Stata"
