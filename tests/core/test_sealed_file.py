"""Sealed files: what goes in comes out, and nothing else opens."""

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import sealed_file
from registry.core.encryption import SealedError, new_data_key
from registry.core.sealed_file import SealedWriter, read_sealed

CHUNK = 16


@pytest.fixture(autouse=True, scope="module")
def small_chunks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "CHUNK", CHUNK)
        yield


def sealed(parts, key, place="a"):
    file = io.BytesIO()
    writer = SealedWriter(file, key, place)
    for part in parts:
        assert writer.write(part) == len(part)
    writer.close()
    whole = b"".join(parts)
    assert (writer.size, writer.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    return file.getvalue()


def opened(data, key, place="a"):
    return b"".join(read_sealed(io.BytesIO(data), key, place))


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_what_was_written_is_read(parts):
    key = new_data_key()
    assert opened(sealed(parts, key), key) == b"".join(parts)


SPOILED = {
    "cut off within a chunk": lambda data: data[:-1],
    "without its last chunk": lambda data: data[: 2 * (CHUNK + 28)],
    "empty": lambda data: b"",
    "altered": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "chunks exchanged": lambda data: data[44:88] + data[:44] + data[88:],
    "longer": lambda data: data + b"x",
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_was_spoiled_does_not_open(how):
    key = new_data_key()
    data = sealed([b"Kanarienvogel" * 3], key)
    assert b"Kanarien" not in data
    with pytest.raises(SealedError):
        opened(SPOILED[how](data), key)


def test_another_key_or_place_opens_nothing():
    key = new_data_key()
    data = sealed([b"Kanarienvogel"], key)
    for other, place in ((new_data_key(), "a"), (key, "b")):
        with pytest.raises(SealedError):
            opened(data, other, place)
