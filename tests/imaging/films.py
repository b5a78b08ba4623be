"""Films for tests, and a graded leg in one line."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from registry.access.models import User
from registry.access.scope import user_scope
from registry.imaging import actions
from registry.imaging.models import Film, Reading, Xray
from registry.imaging.zones import ZONES
from registry.visits.models import Visit
from tests import build


@cache
def radiograph() -> bytes:
    """A real radiograph of a right lower leg (package ``pydicom-data``), 1760 × 1760."""
    path = get_testdata_file("RG3_UNCR.dcm")
    assert path
    with open(path, "rb") as file:
        return file.read()


def dicom(
    laterality: str | None = "R", *, burned_in: str | None = "NO", size: int = 64, **planted: Any
) -> bytes:
    """The radiograph, cut to ``size`` pixels a side (0: whole), with elements ``planted``.

    None leaves an element out; a list of data sets plants a sequence.
    """
    source = dcmread(BytesIO(radiograph()))
    if size:
        pixels = source.pixel_array[400 : 400 + size, 700 : 700 + size]
        source.Rows = source.Columns = size
        source.PixelData = np.ascontiguousarray(pixels).tobytes()
        source["PixelData"].VR = "OW"
    planted = {"Laterality": laterality, "BurnedInAnnotation": burned_in} | planted
    for keyword, value in planted.items():
        if value is None:
            if keyword in source:
                delattr(source, keyword)
        else:
            setattr(source, keyword, value)
    return written(source)


def written(source: Dataset) -> bytes:
    buffer = BytesIO()
    source.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def png(size: int = 32, seed: int = 0, **about: Any) -> bytes:
    """A grey picture; other pictures by ``seed``. ``about`` goes to Pillow's ``save``."""
    return _encoded("PNG", size, seed, about)


def jpeg(size: int = 32, seed: int = 0, **about: Any) -> bytes:
    return _encoded("JPEG", size, seed, about)


def _encoded(kind: str, size: int, seed: int, about: dict[str, Any]) -> bytes:
    grey = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, kind, **about)
    return buffer.getvalue()


def upload(content: bytes, name: str = "film") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def study(by: User, visit: Visit, limb: str = "right", **values: Any) -> Xray:
    """The X-ray form of a leg, saved unless it is already."""
    with user_scope(by):
        saved = visit.entries.get(form="xray", limb=limb).record()
    return saved or build.form(by, visit, "xray", limb, **values)


def film(by: User, xray: Xray, content: bytes | None = None, *, checked: bool = True) -> Film:
    """A film of a study, with a person's look at it."""
    with user_scope(by):
        stored = actions.add_film(by=by, xray=xray, upload=upload(content or png()))
        if checked:
            actions.confirm_checked(by=by, film=stored)
        return stored


def read(xray: Xray, **values: Any) -> dict[str, Any]:
    """A reader's answers about a study: no calcification unless ``values`` say otherwise.

    With ``calcification="present"`` and no zone named, the first zone seen is present.
    """
    seen = [zone for zone in ZONES if zone in xray.zones_seen]
    plain: dict[str, Any] = {"quality": "good", "calcification": "absent"}
    plain |= dict.fromkeys(seen, "absent")
    if values.get("calcification") == "present":
        plain["pattern"] = "punctate"
        if not set(values) & set(seen):
            plain[seen[0]] = "present"
    return plain | values


def graded(
    by_coordinator: User, reader: User, visit: Visit, limb: str = "right", **values: Any
) -> Reading:
    """A leg with a saved study, a checked film, and a reader's submitted reading."""
    xray = study(by_coordinator, visit, limb)
    with user_scope(by_coordinator):
        has_film = Film.objects.filter(xray=xray).exists()
    if not has_film:
        film(by_coordinator, xray)
    with user_scope(reader):
        return actions.submit_reading(by=reader, xray=xray, values=read(xray, **values))
