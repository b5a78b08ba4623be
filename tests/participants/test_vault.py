"""The vault: nobody reads a name outside it, and an erased one nowhere."""

import base64
import os
from dataclasses import fields
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from registry.access.scope import user_scope
from registry.audit.models import Change, Look
from registry.core import encryption
from registry.core.encryption import SealedError
from registry.participants import actions, vault
from registry.participants.models import Identity, Participant
from registry.participants.vault import Person

from .. import build, owner
from ..people import make_cast

CANARY = Person(
    family_name="Kanarienvogel",
    given_name="Zwitscherine",
    birth_date=date(1951, 11, 23),
    hospital_number="HN-77123456",
    phone="+81 3 5555 0199",
    email="zwitscherine@kanarien.example",
    address="Vogelweg 17, Käfigstadt",
)
# Parts long enough to be nobody else's.
TRACES = ["kanarienvogel", "zwitscherine", "1951-11-23", "77123456", "5555 0199", "vogelweg"]


def everything():
    """Every row of every table as text, as the owner sees it; bytes as hexadecimals and text."""
    tables = owner.rows(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind = 'r'"
    )
    for (table,) in tables:
        for (row,) in owner.rows(f'SELECT t::text FROM "{table}" t'):
            yield table, row


def test_a_name_stands_in_no_column_of_any_table(committed):
    cast = make_cast()
    mine = build.participant(cast.ana, person=CANARY)
    with user_scope(cast.ana):
        identity = Identity.objects.get(participant=mine)
        vault.open_identity(by=cast.ana, identity=identity, what="test")
        married = Person(**vars(CANARY) | {"given_name": "Zwitscherine Anna"})
        actions.correct_identity(
            by=cast.ana, participant=mine, person=married, reason="from the passport"
        )
    rows = list(everything())
    tables = {table for table, _row in rows}
    assert {"participants_identity", "audit_change", "audit_look"} <= tables
    shown = "\n".join(row for _table, row in rows).lower()
    for trace in TRACES:
        assert trace not in shown
        assert trace.encode().hex() not in shown
        assert CANARY.family_name.encode().hex() not in shown


def test_history_holds_neither_key_nor_index(committed):
    cast = make_cast()
    mine = build.participant(cast.ana, person=CANARY)
    with user_scope(cast.ana):
        stored = Identity.objects.get(participant=mine)
        secret = [bytes(stored.wrapped_key).hex()]
        secret += [bytes(getattr(stored, name)).hex() for name in vault.INDEXES]
        actions.withdraw_consent(
            by=cast.ana, participant=mine, on=mine.site.today, scope="erase_identity"
        )
    history = owner.rows("SELECT changes::text FROM audit_change WHERE label LIKE %s", "%identity")
    assert len(history) == 2
    for (changes,) in history:
        assert not any(one in changes for one in secret)
        assert not any(name in changes for name in ("wrapped_key", *vault.INDEXES))


@pytest.fixture
def mine(cast):
    return build.participant(cast.ana, person=CANARY)


def opened(by, participant):
    with user_scope(by):
        identity = Identity.objects.get(participant=participant)
        return vault.open_identity(by=by, identity=identity, what="test")


def test_what_was_kept_is_read_again_and_the_look_logged(cast, mine):
    assert opened(cast.hiro, mine) == CANARY
    with user_scope(cast.hiro):
        look = Look.objects.get()
        assert (look.by, look.label, look.what) == (cast.hiro, "participants.identity", "test")


def test_an_erased_identity_is_unreadable_and_not_found(cast, mine):
    with user_scope(cast.ana):
        assert vault.find(cast.ana, CANARY.indexes()).count() == 1
        before = Identity.objects.values("family_name").get(participant=mine)
        vault.erase(Identity.objects.get(participant=mine))
        after = Identity.objects.get(participant=mine)
        assert bytes(after.family_name) == bytes(before["family_name"])
        assert after.erased_at
        assert not vault.find(cast.ana, CANARY.indexes()).exists()
    with pytest.raises(SealedError):
        opened(cast.ana, mine)
    with user_scope(cast.ana), pytest.raises(actions.ParticipantError, match="erased"):
        actions.correct_identity(by=cast.ana, participant=mine, person=CANARY, reason="x")


@pytest.mark.parametrize("columns", [["family_name"], ["family_name", "wrapped_key"]])
def test_a_value_moved_to_another_row_does_not_open(cast, mine, columns):
    other = build.participant(cast.ana)
    with user_scope(cast.ana):
        taken = Identity.objects.values(*columns).get(participant=mine)
        Identity.objects.filter(participant=other).update(**taken)
    with pytest.raises(SealedError):
        opened(cast.ana, other)


def test_a_value_moved_to_another_column_does_not_open(cast, mine):
    with user_scope(cast.ana):
        name = Identity.objects.get(participant=mine).family_name
        Identity.objects.filter(participant=mine).update(given_name=name)
    with pytest.raises(SealedError):
        opened(cast.ana, mine)


def test_two_rows_share_no_ciphertext_but_the_index(cast, mine):
    with user_scope(cast.ana):
        screened = build.screening(cast.ana)
    build.consent(cast.ana, screened)
    values = {
        "sex": "female",
        "enrolled_on": screened.screened_on,
        "onset_year": 2000,
        "recruited_in": ["other"],
    }
    with user_scope(cast.ana):
        actions.enrol(
            by=cast.ana, screening=screened, person=CANARY, values=values, another_person=True
        )
        one, two = Identity.objects.order_by("pk")
        for field in fields(Person):
            assert bytes(getattr(one, field.name)) != bytes(getattr(two, field.name))
        assert bytes(one.name_and_birth) == bytes(two.name_and_birth)


def test_a_correction_renews_indexes_under_the_same_key(cast, mine):
    married = Person(**vars(CANARY) | {"family_name": "Spatz", "phone": ""})
    with user_scope(cast.ana):
        before = Identity.objects.get(participant=mine)
        actions.correct_identity(by=cast.ana, participant=mine, person=married, reason="married")
        after = Identity.objects.get(participant=mine)
        assert bytes(after.wrapped_key) == bytes(before.wrapped_key)
        assert bytes(after.given_name) == bytes(before.given_name)
        assert after.phone is None
        assert vault.find(cast.ana, married.indexes()).count() == 1
        by_name = {"name_and_birth": CANARY.indexes()["name_and_birth"]}
        assert not vault.find(cast.ana, by_name).exists()
    assert opened(cast.ana, mine) == married


def test_a_corrected_birth_date_moves_the_age(cast, mine):
    younger = Person(**vars(CANARY) | {"birth_date": date(1961, 11, 23)})
    with user_scope(cast.ana):
        actions.correct_identity(by=cast.ana, participant=mine, person=younger, reason="typo")
        assert Participant.objects.get(pk=mine.pk).age_at_enrolment == mine.age_at_enrolment - 10
        child = Person(**vars(CANARY) | {"birth_date": mine.enrolled_on})
        with pytest.raises(actions.ParticipantError) as refused:
            actions.correct_identity(by=cast.ana, participant=mine, person=child, reason="typo")
        assert refused.value.item == "birth_date"


@pytest.mark.parametrize(
    "spelling",
    [
        {"hospital_number_index": vault.hospital_number_index("hn 77123456")},
        {"hospital_number_index": vault.hospital_number_index("ＨＮ－７７１２３４５６")},
        {"phone_index": vault.phone_index("03-5555-0199")},
        {"phone_index": vault.phone_index("０３ ５５５５ ０１９９")},
        {"name_and_birth": vault.name_index("KANARIEN-VOGEL", CANARY.birth_date)},
    ],
)
def test_a_person_is_found_however_it_is_typed(cast, mine, spelling):
    with user_scope(cast.ana):
        assert vault.find(cast.ana, spelling).get().participant == mine
    with user_scope(cast.ben):
        assert not vault.find(cast.ben, spelling).exists()
    with user_scope(cast.eli):
        assert not vault.find(cast.eli, spelling).exists()


# -- rotation --------------------------------------------------------------------------------


def key():
    return base64.b64encode(os.urandom(32)).decode()


def versions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT get_byte(wrapped_key, 0) FROM participants_identity"
            " WHERE wrapped_key IS NOT NULL"
        )
        return sorted(version for (version,) in cursor.fetchall())


def test_rotation_rewraps_in_batches_goes_on_and_leaves_the_erased(cast, settings):
    everybody = [build.participant(by) for by in (cast.ana, cast.ana, cast.ana, cast.ben)]
    with user_scope(cast.ana):
        vault.erase(Identity.objects.get(participant=everybody[2]))
    old = settings.IDENTITY_KEYS
    settings.IDENTITY_KEYS = f"{old},9:{key()}"
    with user_scope(cast.ana):
        first = Identity.objects.get(participant=everybody[0])
        assert vault.rewrap(first)  # an earlier run that was stopped
        assert not vault.rewrap(Identity.objects.get(pk=first.pk))
    out = StringIO()
    call_command("rotate_identity_keys", batch=1, verbosity=0, stdout=out)
    assert out.getvalue().startswith("2 of 4 identities")
    settings.IDENTITY_KEYS = settings.IDENTITY_KEYS.removeprefix(f"{old},")
    assert opened(cast.ana, everybody[1]).given_name == "Given"
    assert opened(cast.ben, everybody[3]).given_name == "Given"
    with user_scope(cast.ana):
        assert versions() == [9, 9]
        changes = Change.objects.filter(label="participants.identity")
        assert set(changes.values_list("action", "by")) == {
            ("insert", cast.ana.pk),
            ("update", cast.ana.pk),  # the erasure; a key wrapped anew is no change
        }
    out = StringIO()
    call_command("rotate_identity_keys", verbosity=0, stdout=out)
    assert out.getvalue().startswith("0 of 4")


def test_rotation_without_the_old_key_is_one_sentence(cast, mine, settings):
    settings.IDENTITY_KEYS = f"9:{key()}"
    with pytest.raises(CommandError, match="old master key"):
        call_command("rotate_identity_keys", verbosity=0)


def test_a_row_written_meanwhile_is_not_overwritten(cast, mine, settings):
    with user_scope(cast.ana):
        stale = Identity.objects.get(participant=mine)
        vault.erase(Identity.objects.get(participant=mine))
        settings.IDENTITY_KEYS = f"{settings.IDENTITY_KEYS},9:{key()}"
        assert not vault.rewrap(stale)
        assert Identity.objects.get(participant=mine).wrapped_key is None


def test_a_key_is_bound_to_its_place():
    data_key = encryption.new_data_key()
    wrapped = encryption.wrap_key(data_key, "a.b.1")
    assert encryption.unwrap_key(wrapped, "a.b.1") == data_key
    with pytest.raises(SealedError):
        encryption.unwrap_key(wrapped, "a.b.2")
