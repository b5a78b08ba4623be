"""Films on the way in: decoded, checked, stripped of identifiers, and drawn for the browser.

DICOM is cleaned after the Basic Profile of PS3.15 Annex E, by the table of its 2026c edition,
and beyond it: an attribute outside the table stays only when it is named in ``KEPT``, so that no
free text, private block, overlay, curve or sequence of the source survives.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from dicomanonymizer.simpledicomanonymizer import initialize_actions
from django.conf import settings
from django.core.files import File
from django.utils.translation import gettext as _
from PIL import Image, ImageOps
from pydicom import dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels import pixel_array
from pydicom.tag import BaseTag
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
)

from registry.core.encryption import blind_index
from registry.core.errors import RefusedError
from registry.core.files import MAX_PIXELS

# Its warnings quote values.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

READABLE = {
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEG2000Lossless,
    JPEG2000,
}

# (group, element) → the table's action, by name.
TABLE: dict[tuple[int, ...], str] = {
    tag: action.__name__ for tag, action in initialize_actions("dicomfields_2026c").items()
}
EMPTIED = {"empty", "empty_or_replace", "delete_or_empty"}
# All that stays of a source beside its pixels: what the film shows, and how to draw and measure.
KEPT = frozenset(
    {
        "Modality",
        "BodyPartExamined",
        "Laterality",
        "ImageLaterality",
        "ViewPosition",
        "PatientOrientation",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "NominalScannedPixelSpacing",
        "PixelAspectRatio",
        "EstimatedRadiographicMagnificationFactor",
        "PixelIntensityRelationship",
        "PixelIntensityRelationshipSign",
        "PresentationLUTShape",
        "PhotometricInterpretation",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "RescaleIntercept",
        "RescaleSlope",
        "BurnedInAnnotation",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
    }
)
CODE = re.compile(r"[A-Z0-9_ ]{0,16}")

# Values looked for in the cleaned file, beside every person's name.
IDENTIFYING = frozenset(
    {
        "PatientID",
        "OtherPatientIDs",
        "PatientBirthDate",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "MedicalRecordLocator",
        "IssuerOfPatientID",
        "InstitutionName",
        "InstitutionAddress",
        "StationName",
        "DeviceSerialNumber",
        "AccessionNumber",
        "StudyID",
        "StudyDate",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    }
)
_ESCAPE_OR_SEPARATOR = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]|[\^=\\\s\x00,;]+")


class ImagingError(RefusedError):
    """A film or a reading is refused; the message says why and what to do."""


@dataclass(frozen=True)
class CleanFilm:
    """A film without identifiers: ``original`` is to be measured on, ``picture`` a PNG to see.

    ``laterality`` is R, L, B, U or empty, ``view`` the view position as the file states it.
    ``to_check``: names may be burnt into the pixels, so a person has to look.
    """

    format: str
    original: bytes
    picture: bytes
    width: int
    height: int
    to_check: bool
    laterality: str = ""
    view: str = ""


def clean_film(upload: File) -> CleanFilm:
    """Clean an uploaded DICOM, PNG or JPEG. Raises :class:`ImagingError`."""
    if upload.size > settings.FILM_MAX_BYTES:
        megabytes = f"{settings.FILM_MAX_BYTES / 2**20:.0f}"
        raise _refused(_("The file is too large: at most %s MB are taken.") % megabytes)
    try:
        with warnings.catch_warnings():
            # These quote values too, and end up in logs.
            warnings.simplefilter("ignore")
            upload.seek(0)
            dicom = upload.read(132)[128:] == b"DICM"
            upload.seek(0)
            return _clean_dicom(upload) if dicom else _clean_picture(upload)
    except ImagingError:
        raise
    except Exception:
        # Broken files make decoders raise anything, and what they say may quote the file.
        raise _refused(
            _("This is no readable film. Upload a DICOM, PNG or JPEG file, exported again.")
        ) from None


def _refused(message: str) -> ImagingError:
    return ImagingError(message, "film")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _refused(
            _("The picture is too large: %(width)s × %(height)s pixels.")
            % {"width": width, "height": height}
        )


# -- PNG and JPEG ----------------------------------------------------------------------------


def _clean_picture(upload: File) -> CleanFilm:
    """Only the grey values survive: no text chunk, EXIF, profile, thumbnail or trailing byte."""
    image: Image.Image = Image.open(upload, formats=("PNG", "JPEG"))
    _check_size(*image.size)
    name = "png" if image.format == "PNG" else "jpeg"
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        pixels = np.asarray(image).astype(np.uint16)
    else:
        pixels = np.asarray(image.convert("L"))
    height, width = pixels.shape
    return CleanFilm(name, _png(pixels), _png(_eight_bits(pixels)), width, height, to_check=True)


def _png(pixels: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _eight_bits(pixels: Any, *, invert: bool = False) -> Any:
    """The full range of ``pixels`` as 0–255; ``invert`` where high values mean dark."""
    low, high = int(pixels.min()), int(pixels.max())
    scaled = (pixels.astype(np.float32) - low) * (255 / max(high - low, 1))
    grey = scaled.round().astype(np.uint8)
    return 255 - grey if invert else grey


# -- DICOM -----------------------------------------------------------------------------------


def _clean_dicom(upload: File) -> CleanFilm:
    source = _read(upload)
    identifying = set(_identifying(source))
    pixels = _pixels(source)
    original = _without_identifiers(source, pixels)
    if found_in(original, pixels.tobytes(), identifying):
        raise _refused(
            _("The file still holds identifying text after cleaning. Remove it at its source.")
        )
    cleaned = dcmread(BytesIO(original), stop_before_pixels=True)
    height, width = pixels.shape
    return CleanFilm(
        "dicom",
        original,
        _png(_eight_bits(pixels, invert=cleaned.PhotometricInterpretation == "MONOCHROME1")),
        width,
        height,
        # Missing means nobody knows.
        to_check=cleaned.get("BurnedInAnnotation") != "NO",
        laterality=_one_of(cleaned, "ImageLaterality", "Laterality")[:1],
        view=_one_of(cleaned, "ViewPosition")[:12],
    )


def _one_of(dataset: Dataset, *keywords: str) -> str:
    return next((str(dataset[word].value) for word in keywords if dataset.get(word)), "")


def _read(upload: Any) -> Dataset:
    # The transfer syntax first: a deflated data set would be inflated whole, whatever its size.
    read_preamble(upload, force=False)
    meta = read_dataset(upload, False, True, stop_when=lambda tag, *_rest: tag.group != 2)
    if meta.get("TransferSyntaxUID") not in READABLE:
        raise _refused(
            _("This kind of DICOM compression is not read. Export uncompressed or as JPEG 2000.")
        )
    upload.seek(0)
    return dcmread(upload)


def _pixels(source: Dataset) -> Any:
    """The grey values of the file's one picture, and nothing else that its pixel data hold.

    Bits beyond the stored ones, where old overlays hide, and bytes beyond the last row are lost.
    """
    if "PixelData" not in source:
        raise _refused(_("This DICOM file holds no picture."))
    if int(source.get("NumberOfFrames") or 1) != 1:
        raise _refused(_("Upload one picture a file: this one holds several."))
    _check_size(source.Columns, source.Rows)
    pixels = pixel_array(source, index=0)
    if source.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2"):
        if source.BitsAllocated not in (8, 16) or source.HighBit != source.BitsStored - 1:
            raise _refused(_("This DICOM file's pixel layout is not read."))
        unused = source.BitsAllocated - source.BitsStored
        return (pixels << unused) >> unused
    if source.SamplesPerPixel == 3 and source.BitsAllocated == 8:
        return np.asarray(Image.fromarray(pixels).convert("L"))
    raise _refused(_("This DICOM file's colours are not read. Export it in grey."))


def _without_identifiers(source: Dataset, pixels: Any) -> bytes:
    """A new DICOM file holding ``pixels``, what is in ``KEPT``, and what the table asks for."""
    clean = Dataset()
    for tag in source.keys():  # noqa: SIM118  iterating would decode every element
        action = TABLE.get((tag.group, tag.element))
        if action in EMPTIED and dictionary_VR(tag) != "SQ":
            clean.add_new(tag, dictionary_VR(tag), None)
        elif action == "replace_UID" and tag.group > 2:
            clean.add_new(tag, "UI", keyed_uid(str(source[tag].value)))
        elif action is None and keyword_for_tag(tag) in KEPT:
            _keep(clean, source[tag])
    known = source.SOPClassUID if not UID(source.SOPClassUID).is_private else None
    clean.SOPClassUID = known or SecondaryCaptureImageStorage
    _describe_pixels(clean, source, pixels)
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "PS3.15 2026c table, allow-listed attributes only"
    method = Dataset()
    # CID 7050; importing pydicom's code tables for this one costs every process 0.8 s.
    method.CodeValue, method.CodingSchemeDesignator = "113100", "DCM"
    method.CodeMeaning = "Basic Application Confidentiality Profile"
    clean.DeidentificationMethodCodeSequence = [method]
    clean.LongitudinalTemporalInformationModified = "REMOVED"
    clean.file_meta = FileMetaDataset()
    clean.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, clean, enforce_file_format=True)
    return buffer.getvalue()


def _keep(clean: Dataset, element: DataElement) -> None:
    """Keep an element unless its text is more than a code."""
    values = element.value if element.VM > 1 else [element.value]
    if element.VR == "CS" and not all(CODE.fullmatch(str(value)) for value in values):
        return
    if element.VR in ("CS", "DS", "IS", "US", "SS", "FD"):
        clean.add(element)


def _describe_pixels(clean: Dataset, source: Dataset, pixels: Any) -> None:
    clean.Rows, clean.Columns = pixels.shape
    clean.SamplesPerPixel = 1
    clean.BitsAllocated = pixels.dtype.itemsize * 8
    if source.SamplesPerPixel == 1:
        clean.BitsStored = source.BitsStored
    else:
        clean.PhotometricInterpretation, clean.BitsStored = "MONOCHROME2", 8
    clean.HighBit = clean.BitsStored - 1
    clean.PixelRepresentation = int(pixels.dtype.kind == "i")
    content = pixels.tobytes()
    clean.add_new("PixelData", "OW", content + b"\0" * (len(content) % 2))


def keyed_uid(uid: str) -> str:
    """The same new UID for the same old one, untraceable without the registry's key."""
    digest = blind_index("dicom_uid", *uid.split("."))
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


# -- the second look -------------------------------------------------------------------------


def _identifying(dataset: Dataset) -> Iterator[bytes]:
    """Identifying strings of the source, nested ones too, as stored and as UTF-8."""
    for tag in dataset.keys():  # noqa: SIM118
        stored = dataset.get_item(tag)
        vr = stored.VR or _vr_of(tag)
        if vr == "SQ":
            for item in dataset[tag].value or ():
                yield from _identifying(item)
        elif vr == "PN" or keyword_for_tag(tag) in IDENTIFYING:
            raw = stored.value if isinstance(stored, RawDataElement) else None
            for text in (raw or b"", str(dataset[tag].value or "").encode()):
                if vr == "PN":
                    yield from _ESCAPE_OR_SEPARATOR.split(text)
                else:
                    yield from (part.strip(b" \0") for part in text.split(b"\\"))


def _vr_of(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def found_in(original: bytes, pixels: bytes, identifying: set[bytes]) -> bool:
    """Whether an identifying string stands in a file that ends with ``pixels``.

    Short strings count in the header only as words of their own ("Ono" is a name and a part of
    MONOCHROME), and in the pixels not at all, where any few bytes occur by chance.
    """
    header = original[: original.rindex(pixels)].lower()
    for text in identifying:
        small = re.escape(text.lower())
        if len(text) >= 6 and re.search(small, header):
            return True
        if len(text) >= 3 and re.search(rb"(?<![a-z0-9])" + small + rb"(?![a-z0-9])", header):
            return True
        if len(text) >= 8 and text in pixels:
            return True
    return False
