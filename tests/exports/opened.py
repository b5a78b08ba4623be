"""Datasets and copies as who received them reads them: with zipfile, gzip and csv alone."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyreadstat
from django.core.files.storage import default_storage
from pyarrow import parquet

from registry.exports import actions
from registry.exports.models import Dataset, SiteCopy


@dataclass
class Opened:
    """A zip of tables."""

    data: bytes

    @cached_property
    def files(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.files["manifest.json"])

    @property
    def tables(self) -> list[str]:
        return [one["table"] for one in self.manifest["tables"]]

    def text(self, table: str) -> str:
        return self.files[f"{table}.csv"].decode()

    def table(self, table: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.text(table), newline=""), strict=True))

    def columns(self, table: str) -> list[str]:
        return next(csv.reader(io.StringIO(self.text(table), newline="")))

    @property
    def codebook(self) -> list[dict[str, str]]:
        text = io.StringIO(self.files["codebook.csv"].decode(), newline="")
        return list(csv.DictReader(text, strict=True))

    @property
    def everything(self) -> bytes:
        """What leaves, unpacked, names of files included."""
        return b"\n".join([*(name.encode() for name in self.files), *self.files.values()])

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()


@dataclass
class OpenedDataset(Opened):
    dataset: Dataset

    def text(self, table: str) -> str:
        return gzip.decompress(self.files[f"csv/{table}.csv.gz"]).decode()

    @property
    def everything(self) -> bytes:
        """Every byte that leaves, packed and unpacked."""
        parts = [self.data, super().everything]
        for name, data in self.files.items():
            if name.endswith(".gz"):
                parts.append(gzip.decompress(data))
            if name.endswith(".parquet"):
                rows = parquet.read_table(io.BytesIO(data))
                about = [rows.schema.metadata, *(field.metadata for field in rows.schema)]
                parts.append(f"{about} {rows.to_pylist()}".encode())
            if name.endswith(".sav"):  # packed in pieces
                with tempfile.NamedTemporaryFile() as file:
                    file.write(data)
                    file.flush()
                    frame, about = pyreadstat.read_sav(file.name, user_missing=True)
                parts.append(f"{vars(about)} {frame.to_dict('list')}".encode())
        return b"\n".join(parts)


@dataclass
class OpenedCopy(Opened):
    copy: SiteCopy


def open_dataset(dataset: Dataset) -> OpenedDataset:
    """A dataset that was built."""
    dataset.refresh_from_db()
    assert dataset.state == "ready", dataset.error
    with default_storage.open(dataset.stored_as) as file:
        return OpenedDataset(file.read(), dataset)


def open_copy(copy: SiteCopy) -> OpenedCopy:
    """A copy that was made, in the scope of who asked for it."""
    return OpenedCopy(b"".join(actions.open_copy(by=copy.asked_by, copy=copy)), copy)
