"""A download is checked without the database: whole ones pass, every damage is named."""

import csv
import gzip
import hashlib
import io
import json
import zipfile
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from registry.exports.verification import problems

ROWS = [["participant", "sex"], ["S-1", "female"], ["S-2", "a, “b”\nc"]]


def table(rows):
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def nested(*columns):
    described = [{"column": column} for column in columns]
    return json.dumps({"tables": [{"table": "participants", "columns": described}]}).encode()


def contents(rows=ROWS, **manifest):
    """The files of a small dataset; whoever changes the rows may have the manifest agree."""
    files = {
        "participants.csv.gz": table(rows),
        "codebook.csv": b"table,column\nparticipants,participant\nparticipants,sex\n",
        "codebook.json": nested("participant", "sex"),
        "README.txt": b"Read me.\n",
    }
    said = {
        "tables": [
            {
                "table": "participants",
                "files": {"csv": "participants.csv.gz"},
                "expected": 2,
                "delivered": 2,
            }
        ],
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    return files | {"manifest.json": json.dumps(said | manifest).encode()}


def packed(files):
    """The files as the bytes of a zip."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.fixture
def check(tmp_path):
    """What is wrong with a zip of these bytes, or of these files."""

    def found(given):
        path = tmp_path / "dataset.zip"
        path.write_bytes(given if isinstance(given, bytes) else packed(given))
        return list(problems(path))

    return found


def test_a_whole_one_is_whole_packed_and_unpacked(check, tmp_path):
    assert check(contents()) == []
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(tmp_path / "dataset.zip") as archive:
        archive.extractall(folder)
    assert list(problems(folder)) == []
    (folder / "README.txt").write_text("Changed.")
    assert list(problems(folder)) == [
        "README.txt: it is not the file that was delivered (SHA-256)."
    ]


@pytest.mark.parametrize(
    "name", ["participants.csv.gz", "codebook.csv", "codebook.json", "README.txt"]
)
def test_a_file_that_is_missing_or_changed_is_named(check, name):
    files = contents()
    without = {one: data for one, data in files.items() if one != name}
    assert check(without) == [f"{name}: it is missing."]
    assert check(files | {name: files[name] + b" "}) == [
        f"{name}: it is not the file that was delivered (SHA-256)."
    ]


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"[]",
        b'{"tables": []}',
        b'{"sha256": {}, "tables": [{}]}',
    ],
)
def test_a_manifest_that_says_nothing_is_no_manifest(check, manifest):
    files = contents() | {"manifest.json": manifest}
    assert check(files) == ["manifest.json: it is missing or cannot be read."]
    del files["manifest.json"]
    assert check(files) == ["manifest.json: it is missing or cannot be read."]


def test_a_file_that_nobody_delivered_is_named(check):
    assert check(contents() | {"more.csv": b"x"}) == ["more.csv: the manifest does not name it."]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (ROWS[:-1], "1 of 2 rows."),
        ([*ROWS, ROWS[1]], "3 of 2 rows."),
        ([["sex", "participant"], *ROWS[1:]], "its columns are not those of the codebook."),
        ([*ROWS[:-1], ["S-2"]], "some rows have more or fewer values than columns."),
    ],
)
def test_rows_and_columns_are_held_against_manifest_and_codebook(check, rows, problem):
    """Even where the SHA-256 agrees: the builder itself may have gone wrong."""
    assert check(contents(rows)) == [f"participants.csv.gz: {problem}"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (nested("participant"), "its columns are not those of the codebook."),
        (nested("sex", "participant"), "its columns are not those of the codebook."),
        (b'{"tables": [{"table": "participants"}]}', "it is missing or cannot be read."),
        (b"[1]", "it is missing or cannot be read."),
        (b"{", "it is missing or cannot be read."),
    ],
)
def test_the_codebook_says_the_same_as_json_and_as_csv(check, said, problem):
    files = contents() | {"codebook.json": said}
    manifest = json.loads(files["manifest.json"])
    manifest["sha256"]["codebook.json"] = hashlib.sha256(said).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()
    assert check(files) == [f"codebook.json: {problem}"]


def odm(rows, columns=("participant", "sex"), table="participants"):
    """What check_dataset looks at in a file of ODM."""
    refs = "".join(f'<ItemRef ItemOID="IT.{name}"/>' for name in columns)
    items = "".join(f'<ItemDef OID="IT.{name}" Name="{name}"/>' for name in columns)
    group = f'<ItemGroupDef OID="IG" Name="{table}">{refs}</ItemGroupDef>'
    data = '<ItemGroupData ItemGroupOID="IG"/>' * rows
    return f"<ODM>{group}{items}{data}</ODM>".encode()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (odm(2), []),
        (odm(1), ["odm.xml, participants: 1 of 2 rows."]),
        (odm(2, ["sex"]), ["odm.xml, participants: its columns are not those of the codebook."]),
        (
            odm(2, table="people"),
            [
                "odm.xml, participants: its columns are not those of the codebook.",
                "odm.xml, participants: 0 of 2 rows.",
            ],
        ),
        (odm(2)[:-3], ["odm.xml: it cannot be read: unclosed token: line 1, column "]),
        (b'<ODM><ItemGroupDef OID="IG"/></ODM>', ["odm.xml: it cannot be read: 'Name'."]),
    ],
)
def test_a_file_of_all_tables_has_the_rows_and_columns_of_each(check, said, found):
    files = contents() | {"odm.xml": said}
    manifest = json.loads(files["manifest.json"]) | {"files": {"odm": "odm.xml"}}
    files["manifest.json"] = json.dumps(manifest).encode()
    assert check(files) == [
        "odm.xml: the manifest does not name it.",
        "odm.xml: the manifest has no SHA-256 of it.",
    ]
    manifest["sha256"]["odm.xml"] = hashlib.sha256(said).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()
    problems = check(files)
    assert len(problems) == len(found)
    assert all(one.startswith(start) for one, start in zip(problems, found, strict=True))


def test_a_table_that_was_cut_off_before_it_was_hashed_is_named(check):
    cut = table(ROWS)[:-9]
    files = contents()
    manifest = json.loads(files["manifest.json"])
    manifest["sha256"]["participants.csv.gz"] = hashlib.sha256(cut).hexdigest()
    said = files | {"participants.csv.gz": cut, "manifest.json": json.dumps(manifest).encode()}
    (problem,) = check(said)
    assert problem.startswith("participants.csv.gz: it cannot be read:")


@given(st.data())
def test_no_truncated_and_no_damaged_download_passes(tmp_path_factory, data):
    whole = bytearray(packed(contents()))
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 23))]
    else:
        # Bits of the files' own bytes: a zip says other things twice, or to nobody.
        start = whole.index(b"participants.csv.gz") + len("participants.csv.gz")
        place = data.draw(st.integers(start, start + len(table(ROWS)) - 1))
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
        damaged = whole
    path = tmp_path_factory.mktemp("damaged") / "dataset.zip"
    path.write_bytes(damaged)
    assert list(problems(path))


def test_the_command_says_so_and_fails(tmp_path):
    path = tmp_path / "dataset.zip"
    path.write_bytes(packed(contents()))
    said = StringIO()
    call_command("check_dataset", str(path), stdout=said)
    assert "is whole" in said.getvalue()
    path.write_bytes(packed(contents(ROWS[:-1])))
    errors = StringIO()
    with pytest.raises(CommandError, match="is not whole"):
        call_command("check_dataset", str(path), stderr=errors)
    assert "1 of 2 rows" in errors.getvalue()
    with pytest.raises(CommandError, match="no such file"):
        call_command("check_dataset", str(tmp_path / "nothing"))
