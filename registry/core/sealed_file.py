"""Files that are written and read encrypted, chunk by chunk, so that memory stays flat.

Each chunk is sealed for its place in the file and the last one for being the last: chunks moved,
altered or cut off do not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO

from .encryption import SealedError, open_sealed, seal

CHUNK = 2**20  # bytes in the clear
_SEAL = 28  # bytes that sealing adds: nonce and tag


class SealedWriter:
    """Seals what is written to it into ``file``; whole only once it is closed.

    ``size`` and ``sha256`` are those of what was written, in the clear.
    """

    def __init__(self, file: IO[bytes], key: bytes, place: str) -> None:
        self._file, self._key, self._place = file, key, place
        self._waiting = bytearray()
        self._chunks = 0
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size += len(data)
        self._waiting += data
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def flush(self) -> None:
        """Nothing: a chunk is sealed when it is full."""

    def close(self) -> None:
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(seal(self._key, chunk, _place(self._place, self._chunks, last)))
        self._chunks += 1


def read_sealed(file: IO[bytes], key: bytes, place: str) -> Iterator[bytes]:
    """What was sealed into ``file``, a chunk at a time. Raises :class:`SealedError`."""
    number, chunk = 0, file.read(CHUNK + _SEAL)
    if not chunk:
        raise SealedError(f"The file at {place} is empty.")
    while chunk:
        following = file.read(CHUNK + _SEAL)
        yield open_sealed(key, chunk, _place(place, number, not following))
        number, chunk = number + 1, following


def _place(place: str, number: int, last: bool) -> str:
    return f"{place}.{number}.last" if last else f"{place}.{number}"
