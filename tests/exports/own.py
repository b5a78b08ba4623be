"""A site's copy for tests, read as an investigator reads it: with zipfile and csv alone."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from registry.exports.models import SiteCopy


@dataclass
class OwnData:
    """The zip of a copy."""

    copy: SiteCopy
    data: bytes

    @cached_property
    def files(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.files["manifest.json"])

    def table(self, name: str) -> list[dict[str, str]]:
        text = io.StringIO(self.files[f"{name}.csv"].decode(), newline="")
        return list(csv.DictReader(text, strict=True))

    @property
    def tables(self) -> list[str]:
        return [one["table"] for one in self.manifest["tables"]]

    @property
    def everything(self) -> bytes:
        return b"\n".join([*(name.encode() for name in self.files), *self.files.values()])
