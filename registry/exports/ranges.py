"""Answers that a browser can resume: a part of a file, as RFC 9110 (14) has it.

One range at a time; of several, and of a file that is no longer the same, the whole is sent.
"""

from __future__ import annotations

import re
from io import RawIOBase
from typing import IO, Any

from django.http import FileResponse, HttpRequest, HttpResponse

RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Part(RawIOBase):
    """The next ``length`` bytes of an open file; closes it with itself."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self.file, self.left = file, length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self.file.read(min(len(buffer), self.left))
        buffer[: len(some)] = some
        self.left -= len(some)
        return len(some)

    def close(self) -> None:
        self.file.close()
        super().close()


def answer(request: HttpRequest, file: IO[bytes], *, size: int, tag: str, name: str) -> Any:
    """The file of ``size`` bytes as an attachment, or the part that is asked for; 416 beyond it.

    ``tag`` is another one as soon as the bytes are.
    """
    asked = _asked(request, size, f'"{tag}"')
    if asked is None:
        response: Any = FileResponse(file, as_attachment=True, filename=name)
    elif len(asked) == 0:
        file.close()
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
    else:
        file.seek(asked.start)
        part: Any = Part(file, len(asked))
        response = FileResponse(part, as_attachment=True, filename=name, status=206)
        response["Content-Length"] = len(asked)
        response["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = f'"{tag}"'
    return response


def _asked(request: HttpRequest, size: int, tag: str) -> range | None:
    """The bytes asked for, none when there are no such bytes; None for all of the file."""
    found = RANGE.fullmatch(request.headers.get("Range", ""))
    if not found or found[0] == "bytes=-" or request.headers.get("If-Range", tag) != tag:
        return None
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return None
    return range(int(first), max(stop, int(first)))
