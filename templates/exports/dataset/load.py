"""Opens this dataset in Python: pandas, and pyarrow for the Parquet files.

    from load import TABLES, absences, load

    legs = load("ceap")                  # codes in words, as categories
    coded = load("ceap", labels=False)   # the codes themselves
    coded.attrs["labels"]                # column -> what it means
    why = absences("ceap")               # why values of load("ceap") are missing

It reads the folder in which it lies: the Parquet files where there are any, else the CSV files.
Types, labels and codes come from codebook.json; nothing is guessed.
"""

import json
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).resolve().parent
CODEBOOK = json.loads((FOLDER / "codebook.json").read_text(encoding="utf-8"))
TABLES = {table["table"]: table for table in CODEBOOK["tables"]}
ABSENCE_CODES = {choice["code"]: choice["label"] for choice in CODEBOOK["absence_codes"]}


def load(table, labels=True):
    """A table as a DataFrame.

    With ``labels`` every coded column is a categorical of words, in the order of the codebook.
    Without, a code is a categorical of codes, and yes or no and scores are the integers 0, 1, 2.
    Numbers are floats and texts stay texts. ``attrs`` holds the labels and units of the columns.
    """
    columns = TABLES[table]["columns"]
    read = _read(table)
    frame = pd.DataFrame(
        {column["column"]: _typed(read[column["column"]], column, labels) for column in columns}
    )
    frame.attrs["label"] = TABLES[table]["label"]
    frame.attrs["labels"] = {column["column"]: column["label"] for column in columns}
    frame.attrs["units"] = {c["column"]: c["unit"] for c in columns if c["unit"]}
    return frame


def absences(table, labels=True):
    """Beside each missing value of a table the reason that was recorded, if one was.

    Rows and columns are those of ``load(table)``; keys are kept, and whatever is not missing, or
    missing without a recorded reason, is missing here.
    """
    about = TABLES[table]
    keys, read = about["keys"], _read(table)
    forms = {column["form"] for column in about["columns"]}
    codes = _read("absence_codes").astype("string").fillna("")
    codes = codes[codes["form"].isin(forms)]
    if "ulcer" in keys:  # an assessment is coded under its ulcer's label
        codes = codes.assign(ulcer=codes["occurrence"])
    reasons = pd.DataFrame(pd.NA, index=read.index, columns=read.columns, dtype="string")
    reasons[keys] = load(table, labels)[keys]
    if codes.empty or not set(keys) <= set(codes.columns):
        return reasons
    wide = codes.pivot(index=keys, columns="item", values="code")
    rows = read[keys].astype("string").fillna("")
    wide = wide.reindex(pd.MultiIndex.from_frame(rows) if len(keys) > 1 else rows[keys[0]])
    for column in about["columns"]:
        if not column["key"] and column["item"] in wide:
            found = pd.Series(wide[column["item"]].to_numpy(), index=read.index, dtype="string")
            found = found.map(ABSENCE_CODES) if labels else found
            reasons[column["column"]] = found.where(read[column["column"]].isna()).astype("string")
    return reasons


def _read(table):
    """The values of a table as its file has them."""
    parquet = FOLDER / "parquet" / f"{table}.parquet"
    if parquet.exists():
        return pd.read_parquet(parquet, engine="pyarrow")
    packed = FOLDER / "csv" / f"{table}.csv.gz"
    path = packed if packed.exists() else packed.with_suffix("")
    return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8")


def _typed(values, column, labels):
    kind, choices = column["kind"], column["choices"]
    if kind == "text":
        return values.astype("string")
    if kind == "choice":
        codes = [choice["code"] for choice in choices]
        return _coded(values.astype("string"), choices, codes, False, labels)
    numbers = pd.to_numeric(values)
    if kind == "number":
        return numbers.astype("float64")
    numbers = numbers.astype("Int64")
    if not labels or not choices:
        return numbers
    return _coded(numbers, choices, [int(c["code"]) for c in choices], kind == "score", True)


def _coded(values, choices, codes, ordered, labels):
    """A categorical in the order of the codebook, with the words for the codes if asked."""
    unknown = set(values.dropna()) - set(codes)
    if unknown:
        raise ValueError(f"Not described by the codebook: {unknown}")
    coded = pd.Categorical(values, categories=codes, ordered=ordered)
    if labels:
        coded = coded.rename_categories([choice["label"] for choice in choices])
    return pd.Series(coded, index=values.index)
