"""Encryption of identities: envelope keys, AES-GCM, and keyed blind indexes.

Every row has its own data key, wrapped by a versioned master key; destroying the wrapped key
destroys the row's meaning everywhere, backups of the row included. The names of the table, the
column and the row are authenticated with each value, so no value can be moved to another place.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE = 12


class SealedError(Exception):
    """A value cannot be opened: its key is gone, or it was moved or altered."""


def new_data_key() -> bytes:
    return AESGCM.generate_key(bit_length=256)


def _master_keys() -> dict[int, bytes]:
    """Version → key, from ``IDENTITY_KEYS`` (``1:base64,2:base64``)."""
    return {
        int(version): base64.b64decode(key)
        for version, _, key in (pair.partition(":") for pair in settings.IDENTITY_KEYS.split(","))
    }


def wrap_key(data_key: bytes, place: str) -> bytes:
    """Wrap a row's data key under the newest master key; the first byte is the key's version."""
    keys = _master_keys()
    version = max(keys)
    return bytes([version]) + seal(keys[version], data_key, place)


def unwrap_key(wrapped: bytes | None, place: str) -> bytes:
    """The row's data key. Raises :class:`SealedError` when it was destroyed or is unknown."""
    keys = _master_keys()
    if not wrapped or wrapped[0] not in keys:
        raise SealedError(f"The key of {place} is gone.")
    return open_sealed(keys[wrapped[0]], bytes(wrapped[1:]), place)


def wrapped_with_newest(wrapped: bytes) -> bool:
    return wrapped[0] == max(_master_keys())


def seal(key: bytes, value: bytes, place: str) -> bytes:
    """Encrypt ``value`` for one ``place`` (``table.column.row``)."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, value, place.encode())


def open_sealed(key: bytes, sealed: bytes, place: str) -> bytes:
    """Decrypt what was sealed for ``place``. Raises :class:`SealedError`."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
    except InvalidTag:
        raise SealedError(f"The value at {place} does not open with its key.") from None


def blind_index(kind: str, *values: str) -> bytes:
    """A keyed fingerprint under which equal identities are found without being readable.

    ``kind`` keeps indexes of different items apart. Width, case, spaces and punctuation of the
    values do not matter, since hospitals type them differently.
    """
    plain = "\x1f".join(
        "".join(c for c in unicodedata.normalize("NFKC", value).casefold() if c.isalnum())
        for value in values
    )
    key = base64.b64decode(settings.IDENTITY_INDEX_KEY)
    return hmac.new(key, f"{kind}\x1f{plain}".encode(), hashlib.sha256).digest()
