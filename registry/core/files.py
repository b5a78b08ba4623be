"""Stored files: under random names, and gone again when their transaction is."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Iterable

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

# A whole leg on two long cassettes at 0.1 mm a pixel is 35 million pixels.
MAX_PIXELS = 80_000_000


class _Committed:
    """Called when the transaction commits; dropped by Django when it rolls back."""

    def __init__(self, name: str) -> None:
        self.undo = weakref.finalize(self, delete_files, [name])

    def __call__(self) -> None:
        self.undo.detach()


def store(content: bytes, folder: str, suffix: str) -> str:
    """Store ``content`` under a random name, to be gone again if the transaction rolls back.

    Django has no hook for a rollback, but it then lets go of the transaction's callbacks, and
    with the callback goes the file.
    """
    name = default_storage.save(f"{folder}/{secrets.token_hex(16)}.{suffix}", ContentFile(content))
    transaction.on_commit(_Committed(name))
    return name


def delete_files(names: Iterable[str]) -> None:
    for name in names:
        default_storage.delete(name)
