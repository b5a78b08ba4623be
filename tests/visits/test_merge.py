"""Merging two people's answers: no typed value vanishes, and none is overwritten unseen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.visits.merge import answers, merge, plain, take

CONTROLS = st.sampled_from(["a", "a__unit", "a__absent", "b", "b__confirm", "c"])
RAW = st.dictionaries(CONTROLS, st.lists(st.sampled_from("123"), min_size=1, max_size=2))


@given(RAW, RAW, RAW)
def test_no_typed_answer_vanishes(base, mine, theirs):
    merged = merge(base, mine, theirs)
    was, my, their, held = (answers(raw) for raw in (base, mine, theirs, merged.raw))
    for item in {*was, *my, *their}:
        mine_changed = my.get(item) != was.get(item)
        theirs_changed = their.get(item) != was.get(item)
        if mine_changed and theirs_changed and my.get(item) != their.get(item):
            assert item in merged.both
            assert held.get(item) == their.get(item)
        elif mine_changed:
            assert held.get(item) == my.get(item)
        else:
            assert held.get(item) == their.get(item)


@given(RAW, RAW, RAW)
def test_an_answer_is_one_persons_as_a_whole(base, mine, theirs):
    """A number never meets another person's unit or absence code."""
    held = answers(merge(base, mine, theirs).raw)
    for item, answer in held.items():
        assert answer in (answers(mine).get(item), answers(theirs).get(item))


@given(RAW, RAW, RAW)
def test_sent_again_it_changes_nothing(base, mine, theirs):
    once = merge(base, mine, theirs)
    again = merge(base, mine, once.raw)
    assert again.raw == once.raw
    assert again.both == once.both


@given(RAW, RAW, RAW)
def test_who_comes_first_does_not_matter_where_they_do_not_differ(base, mine, theirs):
    one, other = merge(base, mine, theirs), merge(base, theirs, mine)
    assert set(one.both) == set(other.both)
    assert take(one.raw, {}, one.both) == take(other.raw, {}, other.both)


@given(RAW, RAW, RAW)
def test_choosing_settles_every_difference(base, mine, theirs):
    """What the page does: the answer shown becomes the base, and one's own or theirs is sent."""
    both = merge(base, mine, theirs).both
    rebased = take(base, theirs, both)
    assert merge(rebased, mine, theirs).both == ()
    kept = merge(rebased, take(mine, theirs, both), theirs)
    assert kept.both == ()
    assert answers(take({}, kept.raw, both)) == answers(take({}, theirs, both))


def test_what_means_the_same_is_no_difference():
    same = merge({}, {"on": ["t"]}, {"on": ["2026-11-22"]}, same=lambda one, other: True)
    assert same.raw == {"on": ["2026-11-22"]}
    assert same.both == ()


def test_blanks_and_line_breaks_do_not_count():
    assert plain({"a": [" "], "b": ["x\r\ny"], "c": []}) == {"b": ["x\ny"]}
