"""What goes in with identifiers comes out without, and what is no film does not come in."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pydicom import Dataset, dcmread, uid
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.encaps import encapsulate

from registry.imaging import cleaning
from registry.imaging.cleaning import ImagingError, clean_film, found_in, keyed_uid
from tests.imaging import films

# Planted everywhere; none may survive. "Ono" also stands in MONOCHROME1, which must not matter.
SENTINELS = [
    "Kuroyanagi",
    "Tetsuko",
    "MRN-778899",
    "19330809",
    "Shirayuri",
    "ACC-4455",
    "0312345678",
    "Hatsudai",
    "20260102",
    "98765.4321",
]
NAME = "Kuroyanagi^Tetsuko^Ono"


def planted(**more: Any) -> bytes:
    """The radiograph with identifiers in every kind of hiding place."""
    item = Dataset()
    item.PatientName, item.PatientID = NAME, "MRN-778899"
    nested = Dataset()
    nested.ReferringPhysicianName = NAME
    nested.RequestAttributesSequence = [item]
    nested.add_new(0x00091001, "LO", "Kuroyanagi in a nested private element")
    source = dcmread(
        BytesIO(
            films.dicom(
                PatientName=NAME,
                PatientID="MRN-778899",
                PatientBirthDate="19330809",
                PatientAddress="Hatsudai 1-2-3",
                PatientTelephoneNumbers="0312345678",
                PatientComments="Tetsuko lives in Hatsudai",
                InstitutionName="Shirayuri Clinic",
                StationName="Shirayuri",
                AccessionNumber="ACC-4455",
                StudyDate="20260102",
                AcquisitionDateTime="20260102101112",
                StudyDescription="Leg of Kuroyanagi",
                ImageComments="called 0312345678",
                ProtocolName="Kuroyanagi",
                DerivationDescription="Kuroyanagi",
                ImageType=["ORIGINAL", "PRIMARY", "SHIRAYURI"],
                WindowCenterWidthExplanation="Kuroyanagi",
                StudyInstanceUID="1.2.3.98765.4321.1",
                SOPInstanceUID="1.2.3.98765.4321.2",
                OtherPatientIDsSequence=[item],
                ReferencedStudySequence=[nested],
                AnatomicRegionSequence=[nested],
                PixelSpacing=[0.2, 0.2],
                ImagerPixelSpacing=[0.21, 0.21],
                **more,
            )
        )
    )
    block = source.private_block(0x0019, "SHIRAYURI", create=True)
    block.add_new(0x01, "LO", "Kuroyanagi")
    block.add_new(0x02, "UN", b"MRN-778899")
    block.add_new(0x03, "SQ", [item])
    source.add_new(0x60000010, "US", 2)
    source.add_new(0x60000022, "LO", "Kuroyanagi overlay")
    source.add_new(0x60003000, "OW", b"MRN-778899")
    source.add_new(0x50000030, "SH", "Kuroyanagi")
    source.add_new(0x50003000, "OW", b"MRN-778899")
    source.DataSetTrailingPadding = b"Kuroyanagi"
    source.PixelData += b"MRN-778899"
    source.preamble = b"Kuroyanagi".ljust(128, b"\0")
    source.file_meta.SourceApplicationEntityTitle = "SHIRAYURI"
    return films.written(source)


def test_no_planted_identifier_survives() -> None:
    content = planted()
    for sentinel in SENTINELS:
        assert sentinel.encode() in content or sentinel.upper().encode() in content
    film = clean_film(films.upload(content))
    for sentinel in SENTINELS:
        for stored in (film.original, film.picture):
            assert sentinel.lower().encode() not in stored.lower()


def test_what_a_cleaned_dicom_says() -> None:
    film = clean_film(films.upload(planted(PatientSex="F", PatientAge="092Y")))
    clean = dcmread(BytesIO(film.original))
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.LongitudinalTemporalInformationModified == "REMOVED"
    assert [item.CodeValue for item in clean.DeidentificationMethodCodeSequence] == ["113100"]
    assert clean.DeidentificationMethod
    assert (clean.BodyPartExamined, clean.Laterality, clean.ViewPosition) == (
        "EXTREMITY",
        "R",
        "AP",
    )
    assert list(clean.PixelSpacing) == [0.2, 0.2]
    assert list(clean.ImagerPixelSpacing) == [0.21, 0.21]
    assert clean.PhotometricInterpretation == "MONOCHROME1"
    assert clean.PatientName == clean.PatientID == clean.PatientBirthDate == clean.StudyDate == ""
    assert "PatientAge" not in clean
    assert clean.SOPInstanceUID == keyed_uid("1.2.3.98765.4321.2")
    assert clean.file_meta.MediaStorageSOPInstanceUID == clean.SOPInstanceUID
    tags = [element.tag for element in clean]
    assert not any(tag.is_private or tag.group & 0xFF00 in (0x5000, 0x6000) for tag in tags)
    dates = [element for element in clean.iterall() if element.VR in ("DA", "TM", "DT")]
    assert all(not element.value for element in dates)
    assert (film.laterality, film.view, film.to_check) == ("R", "AP", False)


def test_the_whole_radiograph_keeps_its_pixels_and_shows_bone_bright() -> None:
    source = dcmread(BytesIO(films.radiograph()))
    film = clean_film(films.upload(films.radiograph()))
    clean = dcmread(BytesIO(film.original))
    assert (clean.pixel_array == source.pixel_array).all()
    picture = np.asarray(Image.open(BytesIO(film.picture)))
    assert picture.dtype == np.uint8
    assert (picture.min(), picture.max()) == (0, 255)
    assert np.corrcoef(picture.ravel(), source.pixel_array.ravel())[0, 1] < -0.99
    assert film.to_check  # BurnedInAnnotation is missing in the file as it came
    for sentinel in (b"HIGASHI", b"19790408", b"CompressedSamples", b"11RG3", b"FUJI", b"5457"):
        assert sentinel not in film.original


@pytest.mark.parametrize(
    ("stated", "to_check"), [(None, True), ("YES", True), ("maybe", True), ("NO", False)]
)
def test_burnt_in_text_unless_denied_asks_for_a_persons_look(
    stated: str | None, to_check: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = films.dicom(burned_in=stated)
    assert clean_film(films.upload(content)).to_check is to_check


@pytest.mark.parametrize("name", ["RG3_J2KR.dcm", "RG3_J2KI.dcm"])
def test_jpeg_2000_is_read_and_stored_uncompressed(name: str) -> None:
    path = get_testdata_file(name)
    with open(path, "rb") as file:  # type: ignore[arg-type]
        film = clean_film(films.upload(file.read()))
    clean = dcmread(BytesIO(film.original))
    assert clean.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert (clean.pixel_array == dcmread(path).pixel_array).all()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["chrJapMulti.dcm", "chrJapMultiExplicitIR6.dcm", "chrKoreanMulti.dcm"]
)
def test_names_in_several_scripts_are_removed(name: str) -> None:
    source = dcmread(get_charset_files(name)[0])
    raw = source.get_item("PatientName").value
    parts = [part for part in cleaning._ESCAPE_OR_SEPARATOR.split(raw) if len(part) > 2]
    assert parts
    source.PixelData = bytes(2 * source.Rows * source.Columns * source.BitsAllocated // 8)
    source["PixelData"].VR = "OW"
    film = clean_film(films.upload(films.written(source)))
    for part in [*parts, *str(source.PatientName).replace("=", "^").split("^")]:
        text = part if isinstance(part, bytes) else part.encode()
        assert text not in film.original


def test_bits_beyond_those_stored_are_lost() -> None:
    source = dcmread(BytesIO(films.dicom()))
    plain = source.pixel_array
    hidden = plain | np.uint16(0b101010 << 10)
    source.PixelData = hidden.tobytes()
    film = clean_film(films.upload(films.written(source)))
    assert (dcmread(BytesIO(film.original)).pixel_array == plain).all()


def test_signed_pixels_keep_their_sign() -> None:
    source = dcmread(BytesIO(films.dicom()))
    signed = source.pixel_array.astype(np.int16) - 500
    source.PixelRepresentation, source.PixelData = 1, signed.tobytes()
    source.BitsStored, source.HighBit = 12, 11
    film = clean_film(films.upload(films.written(source)))
    assert (dcmread(BytesIO(film.original)).pixel_array == signed).all()


def test_identifying_text_in_what_is_kept_refuses_the_file() -> None:
    with pytest.raises(ImagingError, match="still holds identifying text") as refused:
        clean_film(
            films.upload(films.dicom(PatientName="Sato^Ana", BodyPartExamined="LEG OF SATO"))
        )
    assert refused.value.item == "film"
    assert "sato" not in str(refused.value).lower()


@pytest.mark.parametrize(
    ("text", "header", "found"),
    [
        (b"Ono", b"..MONOCHROME1..", False),
        (b"Ono", b"..ONO^TARO..", True),
        (b"Li", b"..LI..", False),
        (b"12345678", b"..x12345678y..", True),
        (b"a(b.c]", b"..xA(B.C]x..", True),
        (b"", b"..", False),
    ],
)
def test_the_second_look(text: bytes, header: bytes, found: bool) -> None:
    assert found_in(header + b"\1\2\3\4", b"\1\2\3\4", {text}) is found


def test_the_second_look_reaches_the_pixels() -> None:
    assert found_in(b"head" + b"MRN-778899", b"MRN-778899", {b"MRN-778899"})


def test_uids_are_replaced_by_key() -> None:
    assert keyed_uid("1.23.4") == keyed_uid("1.23.4") != keyed_uid("1.2.34")
    assert uid.UID(keyed_uid("1.2.3")).is_valid


def test_text_and_exif_of_pictures_are_lost() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Comment", "Kuroyanagi", zip=False)
    chunks.add_itxt("Author", "Tetsuko")
    exif = Image.Exif()
    exif[0x010E] = "Kuroyanagi Tetsuko"
    for content in (
        films.png(pnginfo=chunks, exif=exif) + b"Kuroyanagi",
        films.jpeg(exif=exif, comment=b"Kuroyanagi") + b"Tetsuko",
    ):
        assert b"Kuroyanagi" in content
        film = clean_film(films.upload(content))
        for stored in (film.original, film.picture):
            assert b"Kuroyanagi" not in stored
            assert b"Tetsuko" not in stored
            assert set(_chunks(stored)) == {b"IHDR", b"IDAT", b"IEND"}
        assert film.to_check


def _chunks(content: bytes) -> list[bytes]:
    kinds, at = [], 8
    while at < len(content):
        kinds.append(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return kinds


def test_a_turned_photograph_is_set_upright() -> None:
    grey = np.zeros((10, 30), dtype=np.uint8)
    grey[:, :5] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90°
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", exif=exif, quality=95)
    film = clean_film(films.upload(buffer.getvalue()))
    assert (film.width, film.height) == (10, 30)
    upright = np.asarray(Image.open(BytesIO(film.original)))
    assert upright[:4].mean() > 200
    assert upright[10:].mean() < 50


def test_sixteen_bits_of_a_png_are_kept() -> None:
    deep = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    buffer = BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    film = clean_film(films.upload(buffer.getvalue()))
    assert (np.asarray(Image.open(BytesIO(film.original))) == deep).all()
    assert np.asarray(Image.open(BytesIO(film.picture))).max() == 255


def test_a_colour_picture_becomes_grey() -> None:
    buffer = BytesIO()
    Image.new("RGBA", (8, 8), (200, 10, 10, 128)).save(buffer, "PNG")
    assert Image.open(BytesIO(clean_film(films.upload(buffer.getvalue())).original)).mode == "L"


def _without_pixels() -> bytes:
    source = dcmread(BytesIO(films.dicom()))
    del source.PixelData
    return films.written(source)


def _with(**values: Any) -> bytes:
    source = dcmread(BytesIO(films.dicom()))
    for keyword, value in values.items():
        setattr(source, keyword, value)
    return films.written(source)


def _compressed(syntax: str) -> bytes:
    source = dcmread(BytesIO(films.dicom()))
    source.PixelData = encapsulate([b"\0" * 16])
    source["PixelData"].is_undefined_length = True
    source.file_meta.TransferSyntaxUID = uid.UID(syntax)
    return films.written(source)


REFUSED = {
    "text": (b"Not a film at all, but a letter. " * 20, "no readable film"),
    "one byte": (b"\x89", "no readable film"),
    "half a PNG": (films.png(64)[:2000], "no readable film"),
    "half a JPEG": (films.jpeg(64)[:900], "no readable film"),
    "GIF": (b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff;", "no readable film"),
    "half a DICOM": (films.dicom()[:3000], "no readable film"),
    "DICOM head only": (b"\0" * 128 + b"DICM", "compression is not read"),
    "noise after the head": (b"\0" * 128 + b"DICM" + b"\xff\xfe" * 500, "compression is not read"),
    "without pixels": (_without_pixels(), "holds no picture"),
    "several frames": (_with(NumberOfFrames=2), "holds several"),
    "no rows": (_with(Rows=0), "no readable film"),
    "rows that are not there": (_with(Rows=4000), "no readable film"),
    "a pixel bomb": (_with(Rows=65535, Columns=65535), "too large: 65535 × 65535"),
    "palette": (_with(PhotometricInterpretation="PALETTE COLOR"), "colours are not read"),
    "JPEG lossless": (_compressed(uid.JPEGLosslessSV1), "compression is not read"),
    "run lengths": (_compressed(uid.RLELossless), "compression is not read"),
    "JPEG 2000 of nothing": (_compressed(uid.JPEG2000Lossless), "no readable film"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_film_is_refused_with_a_reason(kind: str) -> None:
    content, message = REFUSED[kind]
    with pytest.raises(ImagingError, match=message) as refused:
        clean_film(films.upload(content))
    assert refused.value.item == "film"


def test_a_deflated_file_is_refused_before_it_is_inflated(monkeypatch: Any) -> None:
    def never(*args: Any) -> None:
        raise AssertionError("inflated")

    source = dcmread(BytesIO(films.dicom()))
    source.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    content = films.written(source)
    monkeypatch.setattr("zlib.decompress", never)
    with pytest.raises(ImagingError, match="compression is not read"):
        clean_film(films.upload(content))


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch: Any) -> None:
    monkeypatch.setattr(cleaning, "MAX_PIXELS", 1000)
    with pytest.raises(ImagingError, match="too large: 32 × 32"):
        clean_film(films.upload(films.png(32)))


def test_a_file_over_the_limit_is_never_read(settings: Any) -> None:
    settings.FILM_MAX_BYTES = 1000

    class Unreadable:
        size = 1001

        def read(self, *args: Any) -> bytes:
            raise AssertionError("read")

    with pytest.raises(ImagingError, match="too large"):
        clean_film(Unreadable())  # type: ignore[arg-type]
