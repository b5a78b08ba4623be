"""The text of a PDF that Chromium wrote, page by page: as much of the format as its writer uses."""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple


class Font(NamedTuple):
    """Digits of a glyph's code, and what each code says."""

    digits: int
    characters: dict[int, str]


def pages_of(pdf: bytes) -> list[str]:
    """Each page's text in the order of drawing, without spaces and line ends."""
    objects = {
        int(number): body for number, body in re.findall(rb"(\d+) 0 obj\b(.*?)\bendobj", pdf, re.S)
    }
    leaves = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    return [_page(objects, body) for body in leaves]


def _page(objects: dict[int, bytes], page: bytes) -> str:
    """Skia names a font by the number of its object; a shaded part is a form of its own."""
    contents = re.search(rb"/Contents (\d+) 0 R", page)
    assert contents
    text = _drawn(objects, int(contents[1]))
    return re.sub(r"\s", "", text)


def _drawn(objects: dict[int, bytes], number: int) -> str:
    text, font = "", Font(4, {})
    drawing = rb"/F(\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)> Tj|/X(\d+) Do"
    for chosen, glyphs, form in re.findall(drawing, _stream(objects[number])):
        if chosen:
            font = _font(objects, int(chosen))
        elif form:
            inner = objects[int(form)]
            text += _drawn(objects, int(form)) if b"/Form" in inner else ""
        else:
            width = font.digits
            codes = [int(glyphs[at : at + width], 16) for at in range(0, len(glyphs), width)]
            text += "".join(font.characters.get(code, "\ufffd") for code in codes)
    return text


def _font(objects: dict[int, bytes], number: int) -> Font:
    table = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
    if not table:
        return Font(4, {})
    source = _stream(objects[int(table[1])])
    codes = re.search(rb"begincodespacerange\s*<(\w+)>", source)
    found = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", source, re.S):
        for code, text in re.findall(rb"<(\w+)>\s*<(\w+)>", block):
            found[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", source, re.S):
        for first, last, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>", block):
            for at in range(int(last, 16) - int(first, 16) + 1):
                found[int(first, 16) + at] = chr(int(text, 16) + at)
    return Font(len(codes[1]) if codes else 4, found)


def _stream(body: bytes) -> bytes:
    raw = re.search(rb"stream\r?\n(.*?)\r?\nendstream", body, re.S)
    assert raw
    return zlib.decompress(raw[1]) if b"FlateDecode" in body else raw[1]
