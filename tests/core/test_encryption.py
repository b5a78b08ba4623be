"""Identities under envelope keys: no value opens anywhere but in its own place."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import encryption
from registry.core.encryption import SealedError, blind_index, open_sealed, seal

PLACE = "participants_identity.family_name.1"


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_and_never_looks_the_same(value):
    key = encryption.new_data_key()
    one, two = seal(key, value, PLACE), seal(key, value, PLACE)
    assert one != two
    assert open_sealed(key, one, PLACE) == value


def damaged(sealed, at):
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


def test_a_value_moved_or_altered_does_not_open():
    key = encryption.new_data_key()
    sealed = seal(key, b"Sato", PLACE)
    for other, place, value in [
        (key, PLACE.replace(".1", ".2"), sealed),
        (key, PLACE.replace("family", "given"), sealed),
        (encryption.new_data_key(), PLACE, sealed),
        *((key, PLACE, damaged(sealed, at)) for at in range(len(sealed))),
        (key, PLACE, sealed[:10]),
    ]:
        with pytest.raises(SealedError):
            open_sealed(other, value, place)


def test_the_master_key_rotates_and_the_old_one_still_opens(settings):
    old = settings.IDENTITY_KEYS
    data_key = encryption.new_data_key()
    wrapped = encryption.wrap_key(data_key, PLACE)
    assert encryption.wrapped_with_newest(wrapped)
    settings.IDENTITY_KEYS = f"{old},7:{base64.b64encode(os.urandom(32)).decode()}"
    assert encryption.unwrap_key(wrapped, PLACE) == data_key
    assert not encryption.wrapped_with_newest(wrapped)
    again = encryption.wrap_key(data_key, PLACE)
    assert again[0] == 7
    settings.IDENTITY_KEYS = old
    with pytest.raises(SealedError, match="gone"):
        encryption.unwrap_key(again, PLACE)


@pytest.mark.parametrize("wrapped", [None, b"", b"\xff" + b"x" * 60])
def test_a_destroyed_key_opens_nothing(wrapped):
    with pytest.raises(SealedError, match="gone"):
        encryption.unwrap_key(wrapped, PLACE)


@pytest.mark.parametrize(
    ("one", "other"),
    [("O'Brien", "obrien"), ("ＳＡＴＯ", "sato"), ("da Silva", "DASILVA"), ("12-34", "1234")],
)
def test_a_blind_index_does_not_mind_how_a_hospital_types(one, other):
    assert blind_index("name", one) == blind_index("name", other)


def test_a_blind_index_keeps_kinds_and_values_apart(settings):
    index = blind_index("name", "sato", "1955")
    assert index != blind_index("phone", "sato", "1955")
    assert index != blind_index("name", "sato1955")
    assert index != blind_index("name", "sato", "1956")
    assert b"sato" not in index
    settings.IDENTITY_INDEX_KEY = base64.b64encode(os.urandom(32)).decode()
    assert index != blind_index("name", "sato", "1955")
