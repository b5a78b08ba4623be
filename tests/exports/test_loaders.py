"""The loaders, run as a receiver runs them: in Python and in R, in a folder of their own."""

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from registry.access.scope import user_scope
from registry.visits.models import FormEntry, Visit

from .conftest import FORMS, apart, made, ordered

IN_PYTHON = """
import json, sys
sys.path.insert(0, sys.argv[1])
import pandas as pd
from load import TABLES, absences, load

def values(frame):
    return {
        name: [None if pd.isna(one) else getattr(one, "item", lambda: one)() for one in frame[name]]
        for name in frame
    }

told = {}
for table in TABLES:
    words, codes = load(table), load(table, labels=False)
    told[table] = {
        "words": values(words),
        "codes": values(codes),
        "reasons": values(absences(table)),
        "reason_codes": values(absences(table, labels=False)),
        "types": {name: str(codes[name].dtype) for name in codes},
        "categories": {
            name: list(words[name].cat.categories)
            for name in words if words[name].dtype == "category"
        },
        "labels": words.attrs["labels"],
        "units": words.attrs["units"],
    }
print(json.dumps(told))
"""
IN_R = """
folder <- commandArgs(TRUE)[1]
source(file.path(folder, "load.R"))
told <- function(rows, name) {
  write.csv(rows, file.path(folder, "told", name), row.names = FALSE, na = "")
}
about <- function(table, columns, kind) {
  data.frame(table, column = names(columns), kind, text = unname(columns))
}
facts <- data.frame()
for (table in dataset_tables) {
  words <- load_table(table)
  codes <- load_table(table, labels = FALSE)
  told(words, paste0(table, ".words.csv"))
  told(codes, paste0(table, ".codes.csv"))
  told(absences(table), paste0(table, ".reasons.csv"))
  told(absences(table, labels = FALSE), paste0(table, ".reason_codes.csv"))
  label <- vapply(words, function(one) attr(one, "label"), "")
  class <- vapply(codes, function(one) class(unclass(one)), "")
  class[vapply(codes, is.factor, NA)] <- "category"
  levels <- vapply(Filter(is.factor, words), function(one) paste(levels(one), collapse = "|"), "")
  facts <- rbind(facts, about(table, label, "label"), about(table, class, "type"),
                 if (length(levels)) about(table, levels, "levels"))
}
told(facts, "facts.csv")
"""


@pytest.fixture(scope="module")
def opened(cohort_database, django_db_blocker, tmp_path_factory):
    """A dataset with absence codes of each kind."""
    with (
        django_db_blocker.unblock(),
        apart(cohort_database, "loaded", tmp_path_factory) as cast,
    ):
        with user_scope(cast.ana):
            visit = Visit.objects.get(participant=cast.people[0], code="BL")
            ceap = visit.entries.get(form="ceap", limb="right")
            record = ceap.record()
            type(record).objects.filter(pk=record.pk).update(
                absent={"symptomatic": "refused", "etiology": "not_assessable"},
                symptomatic=None,
                etiology=None,
            )
            FormEntry.objects.filter(pk=ceap.pk).update(occurrence="007")
        return made(ordered(cast, "limited"))


@pytest.fixture
def folder(opened, tmp_path):
    """Its files in a folder."""
    with zipfile.ZipFile(io.BytesIO(opened.data)) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def wanted(column, value, labels):
    """A value of the CSV as a loader must give it."""
    if value == "":
        return None
    words = {choice["code"]: choice["label"] for choice in column["choices"]}
    if column["kind"] == "number":
        return float(value)
    if labels and words:
        return words[value]
    return int(value) if column["kind"] in ("score", "yes_no") else value


def expected(opened):
    """Table → column → values, in words and in codes, read with csv alone."""
    described = json.loads(opened.files["codebook.json"])["tables"]
    for table in described:
        rows = opened.table(table["table"])
        yield (
            table,
            [
                {
                    c["column"]: [wanted(c, row[c["column"]], labels) for row in rows]
                    for c in columns
                }
                for columns, labels in ((table["columns"], True), (table["columns"], False))
            ],
        )


def reasons(told, table):
    """What was said of why values are missing, keys aside: (column, reason)."""
    keys = table["keys"]
    return {
        (name, one)
        for name, values in told.items()
        if name not in keys
        for one in values
        if one is not None
    }


MULTI = {f"ceap_etiology_{code}" for code in ("Ep", "Esi", "Ese", "Ec", "En")}


def check_reasons(table, words, codes):
    """The codes of the cohort: a yes or no, a multi and a number."""
    if table["table"] == "ceap":
        assert reasons(codes, table) == {("ceap_symptomatic", "refused")} | {
            (name, "not_assessable") for name in MULTI
        }
        assert reasons(words, table) == {("ceap_symptomatic", "refused")} | {
            (name, "not assessable") for name in MULTI
        }
    elif table["table"] == "laboratory":
        assert reasons(codes, table) == {("laboratory_crp", "not_done")}
        assert reasons(words, table) == {("laboratory_crp", "not done")}
        assert codes["laboratory_crp"] == ["not_done"] * 3
    else:
        assert reasons(codes, table) == reasons(words, table) == set()


@pytest.mark.parametrize("without", ["", "csv", "parquet", "packed files"])
def test_in_python(opened, folder, tmp_path_factory, without):
    if without == "packed files":
        shutil.rmtree(folder / "parquet")
        for file in list((folder / "csv").iterdir()):
            file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
            file.unlink()
    elif without:
        shutil.rmtree(folder / without)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", IN_PYTHON, str(folder)],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert list(told) == opened.tables
    types = {"number": "float64", "text": "string", "choice": "category"}
    for table, (words, codes) in expected(opened):
        found = told[table["table"]]
        assert found["words"] == words, table["table"]
        assert found["codes"] == codes, table["table"]
        for column in table["columns"]:
            name = column["column"]
            assert found["types"][name] == types.get(column["kind"], "Int64")
            assert found["labels"][name] == column["label"]
            assert found["units"].get(name, "") == column["unit"]
            if column["choices"]:
                assert found["categories"][name] == [one["label"] for one in column["choices"]]
        keys = {key: words[key] for key in table["keys"]}
        assert {key: found["reasons"][key] for key in table["keys"]} == keys
        check_reasons(table, found["reasons"], found["reason_codes"])
    assert told["absence_codes"]["codes"]["occurrence"].count("007") == 2


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")
class TestInR:
    def run(self, folder, elsewhere):
        (folder / "told").mkdir()
        script = elsewhere / "script.R"
        script.write_text(IN_R)
        return subprocess.run(
            ["Rscript", "--vanilla", script, str(folder)],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )

    def test_values_types_labels_and_reasons(self, opened, folder, tmp_path_factory):
        ran = self.run(folder, tmp_path_factory.mktemp("elsewhere"))
        assert ran.returncode == 0, ran.stderr

        def told(name):
            with (folder / "told" / name).open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))

        facts = {(f["table"], f["column"], f["kind"]): f["text"] for f in told("facts.csv")}
        types = {"number": "numeric", "text": "character", "choice": "category"}
        for table, expects in expected(opened):
            for name, values in zip(("words", "codes"), expects, strict=True):
                rows = told(f"{table['table']}.{name}.csv")
                for column in table["columns"]:
                    texts = [row[column["column"]] for row in rows]
                    found = [
                        None if text == "" else type(one)(text) if one is not None else text
                        for text, one in zip(texts, values[column["column"]], strict=True)
                    ]
                    assert found == values[column["column"]], column["column"]
            for column in table["columns"]:
                at = (table["table"], column["column"])
                assert facts[*at, "label"] == column["label"]
                assert facts[*at, "type"] == types.get(column["kind"], "integer")
                if column["choices"]:
                    levels = "|".join(one["label"] for one in column["choices"])
                    assert facts[*at, "levels"] == levels
            check_reasons(
                table,
                *(
                    {
                        c["column"]: [r[c["column"]] or None for r in told(f"{table['table']}.{n}")]
                        for c in table["columns"]
                    }
                    for n in ("reasons.csv", "reason_codes.csv")
                ),
            )

    def test_without_csv_it_asks_for_arrow(self, folder, tmp_path_factory):
        shutil.rmtree(folder / "csv")
        ran = self.run(folder, tmp_path_factory.mktemp("elsewhere"))
        if ran.returncode:  # where the package is not installed
            assert "Install the package arrow" in ran.stderr


def test_the_formats_asked_for_decide_what_goes_with_them(built):
    for formats in (["csv"], ["parquet"]):
        opened = built(formats=formats, forms=FORMS[:1])
        assert "load.py" in opened.files
        assert ("load.do" in opened.files) == (formats == ["csv"])


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_it_can_be_checked_as_its_readme_says(opened, folder):
    text = (folder / "README.txt").read_text()
    command = text[text.index("  sed -n") : text.index("sha256sum -c") + len("sha256sum -c")]

    def check():
        return subprocess.run(
            ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False
        )

    whole = check()
    assert whole.returncode == 0
    assert whole.stdout.count(": OK\n") == len(opened.manifest["sha256"])
    (folder / "csv" / "ceap.csv.gz").write_bytes(b"changed")
    assert check().returncode == 1
