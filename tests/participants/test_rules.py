"""Pure rules: study numbers and their spellings, eligibility, consent and entry, age."""

from contextlib import suppress
from datetime import date, timedelta
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.numbers import UnreadableError
from registry.participants import rules

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
prefixes = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=4)
runnings = st.integers(1, 99_999)


def holds(text):
    """ISO 7064 MOD 37,36 as its own text puts it, summed from the right: an independent oracle."""
    product = 36
    for character in text[:-1]:
        total = product + ALPHABET.index(character)
        total = total - 36 if total > 36 else total
        product = (2 * total) % 37
    return (product + ALPHABET.index(text[-1])) % 36 == 1


@pytest.mark.parametrize("text", ["A12425GABC1234002M"])
def test_the_example_of_the_standard(text):
    """The Global Release Identifier, whose check character is ISO 7064 MOD 37,36."""
    assert holds(text)
    assert rules.check_character(text[:-1]) == text[-1]


@given(prefixes, runnings)
def test_a_study_number_passes_its_own_check(prefix, running):
    number = rules.study_number(prefix, running)
    assert holds(number.replace("-", ""))
    assert rules.read_study_number(number).among([]) == [number]


@given(prefixes, runnings, st.data())
def test_every_single_wrong_character_is_found(prefix, running, data):
    plain = rules.study_number(prefix, running).replace("-", "")
    at = data.draw(st.integers(0, len(plain) - 1))
    wrong = data.draw(st.sampled_from([c for c in ALPHABET if c != plain[at]]))
    spoiled = plain[:at] + wrong + plain[at + 1 :]
    assert rules.check_character(spoiled[:-1]) != spoiled[-1]


def test_of_all_swaps_of_neighbours_those_missed_are_known():
    """Exhaustive: one leading character puts the check into each of its 36 states."""
    missed = [
        (first, second)
        for lead in ALPHABET
        for first, second in combinations(ALPHABET, 2)
        if rules.check_character(lead + first + second)
        == rules.check_character(lead + second + first)
    ]
    assert len(missed) == 36
    assert all(
        (ALPHABET.index(second) - ALPHABET.index(first)) % 36 in (1, 35) for first, second in missed
    )


NUMBER = rules.study_number("TKY", 42)
CHECK = NUMBER[-1]


@pytest.mark.parametrize(
    "typed",
    [
        "42",
        "0042",
        " 0042 ",
        "TKY-42",
        "tky-0042",
        "tky 0042",
        "TKY0042",
        "ＴＫＹ－００４２",
        "ｔｋｙー４２",
        "TKY–0042",
        "４２",
        NUMBER,
        NUMBER.lower(),
        f"42-{CHECK}",
        f"0042 {CHECK}",
    ],
)
def test_spellings_of_one_number(typed):
    assert rules.read_study_number(typed).among(["TKY"]) == [NUMBER]


def test_without_a_prefix_every_site_is_meant():
    assert rules.read_study_number("42").among(["TKY", "RIO"]) == [
        rules.study_number("TKY", 42),
        rules.study_number("RIO", 42),
    ]


@pytest.mark.parametrize("wrong", [c for c in ALPHABET if c != CHECK])
def test_a_wrong_check_character_says_so(wrong):
    for typed in (f"TKY-0042-{wrong}", f"42-{wrong}"):
        with pytest.raises(UnreadableError, match=f"check character {wrong} does not fit"):
            rules.read_study_number(typed).among(["TKY"])


@pytest.mark.parametrize("typed", ["", "Sato", "TKY", "TKY-0042-KK", "4 2 1", "<script>", "-42"])
def test_what_is_no_study_number(typed):
    with pytest.raises(UnreadableError, match="is no study number"):
        rules.read_study_number(typed)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(UnreadableError):
        assert len(rules.read_study_number(text).among(["TKY"])) == 1


CVI = {
    "adult": True,
    "arm": "cvi",
    "cvi_diagnosed": True,
    "venous_status": "present",
    "able_to_consent": True,
    "pregnant": False,
}
CONTROL = CVI | {"arm": "control", "cvi_diagnosed": None, "venous_status": "absent"}


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        (CVI, []),
        (CVI | {"venous_status": "not_examined"}, []),
        (CONTROL, []),
        (CVI | {"arm": "other_calcinosis", "venous_status": "absent"}, []),
        (CVI | {"adult": False}, ["not_adult"]),
        (CVI | {"able_to_consent": False}, ["not_able_to_consent"]),
        (CVI | {"pregnant": True}, ["pregnant"]),
        (CONTROL | {"pregnant": True}, ["pregnant"]),
        (CVI | {"cvi_diagnosed": False}, ["cvi_not_diagnosed"]),
        (CVI | {"venous_status": "absent"}, ["no_venous_disease"]),
        (CVI | {"adult": False, "pregnant": True}, ["not_adult", "pregnant"]),
    ],
)
def test_who_is_eligible(values, reasons):
    assert rules.not_eligible_because(values) == reasons
    assert set(reasons) <= rules.REASONS.keys()


DAY = date(2026, 5, 1)


def consent(version=1, signed=DAY, withdrawn=None, scope=None):
    return SimpleNamespace(
        version_id=version, signed_on=signed, withdrawn_on=withdrawn, withdrawal_scope=scope
    )


def version(pk, since, until=None, mandatory=True):
    return SimpleNamespace(pk=pk, in_force_from=since, in_force_until=until, mandatory=mandatory)


FIRST = version(1, date(2020, 1, 1))
SECOND = version(2, DAY)
OPTIONAL = version(3, DAY, mandatory=False)
COMING = version(4, DAY + timedelta(days=1))
EARLIER, LATER = DAY - timedelta(days=1), DAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("consents", "versions", "refused"),
    [
        ([], [FIRST], "No consent is signed"),
        ([consent(signed=LATER)], [FIRST], "No consent is signed"),
        ([consent()], [FIRST], ""),
        ([consent()], [FIRST, SECOND], "A new version"),
        ([consent(), consent(2)], [FIRST, SECOND], ""),
        ([consent(2)], [FIRST, SECOND], ""),
        ([consent()], [FIRST, OPTIONAL], ""),
        ([consent(3)], [FIRST, SECOND, OPTIONAL], ""),
        ([consent()], [FIRST, COMING], ""),
        ([consent()], [version(1, FIRST.in_force_from, until=EARLIER)], ""),
        ([consent(withdrawn=DAY, scope="stop_collection")], [FIRST], "withdrawn"),
        ([consent(withdrawn=EARLIER, scope="erase_identity")], [FIRST], "withdrawn"),
        ([consent(withdrawn=DAY, scope="stop_contact")], [FIRST], ""),
        ([consent(withdrawn=DAY, scope="stop_sharing")], [FIRST], ""),
        ([consent(withdrawn=LATER, scope="stop_collection")], [FIRST], ""),
        (
            [consent(withdrawn=DAY, scope="stop_collection"), consent(2)],
            [FIRST, SECOND],
            "withdrawn",
        ),
    ],
)
def test_consent_governs_entry(consents, versions, refused):
    because = rules.entry_refused_because(consents, versions, DAY)
    assert because.startswith(refused) if refused != "withdrawn" else "withdrawn" in because
    assert bool(because) == bool(refused)


@pytest.mark.parametrize(
    ("birth", "on", "age"),
    [
        (date(1980, 5, 1), date(2026, 4, 30), 45),
        (date(1980, 5, 1), date(2026, 5, 1), 46),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
    ],
)
def test_completed_years(birth, on, age):
    assert rules.age_on(birth, on) == age
