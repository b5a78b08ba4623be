"""What a reader's pages call a leg to be read: a key that says nothing, other for each reader."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from registry.access.models import User
from registry.core.encryption import blind_index


def _cipher() -> Cipher[modes.ECB]:
    # One block, so a mode is not at issue: AES serves as a keyed permutation of 16 bytes.
    return Cipher(algorithms.AES(blind_index("read_key")), modes.ECB())  # noqa: S305


def key_of(reader: User, xray_id: int) -> str:
    """The reader's key of a study: 32 hexadecimal digits, always the same."""
    block = reader.pk.to_bytes(8, "big") + xray_id.to_bytes(8, "big")
    return _cipher().encryptor().update(block).hex()


def study_of(reader: User, key: str) -> int | None:
    """The id of the study behind ``key``; None for another reader's key or a made-up one."""
    try:
        block = _cipher().decryptor().update(bytes.fromhex(key))
    except ValueError:
        return None
    if len(block) != 16 or int.from_bytes(block[:8], "big") != reader.pk:
        return None
    return int.from_bytes(block[8:], "big")


def order_seed(reader: User) -> str:
    """The secret by which this reader's order of reading is shuffled."""
    return blind_index("read_order", str(reader.pk)).hex()
