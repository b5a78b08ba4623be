"""What a project's releases tell together, counted by an oracle of its own."""

import json
import random
from collections import Counter

import pytest

REQUEST = """
    INSERT INTO exports_datasetrequest (id, project_id, profile, forms, arms, sites, classes,
        formats, state, asked_by_id, asked_at, reason)
    VALUES (%s, 1, %s, '{}', '{}', '{}', '{}', '{}', 'asked', 1, now(), '')
"""
DATASET = """
    INSERT INTO exports_dataset (id, request_id, state, queued_by_id, queued_at, stage, rows_done,
        error, manifest, disclosure, stored_as, sha256)
    VALUES (%s, %s, 'failed', 1, now(), '', 0, '', '{}', '{}', '', '')
"""
INCLUDED = """
    INSERT INTO exports_included (dataset_id, participants, classes, outcomes)
    VALUES (%s, %s, %s, %s::text[]::jsonb[])
"""
OUTCOMES = {"major_event": ["none", "none", "none", "death"], "left": ["none", "left"]}


def release(draw):
    """Person → (class, outcomes), of some of forty people."""
    kept = dict(list(OUTCOMES.items())[: draw.randint(0, 2)])
    return {
        key: (
            draw.randint(0, 3),
            {name: draw.choice(values) for name, values in kept.items()},
        )
        for key in draw.sample(range(40), draw.randint(20, 40))
    }


def compared(session, profile, now, earlier, k):
    """``earlier``: (profile, release) of each, in their order."""
    session.rollback()
    for number, (of_profile, people) in enumerate(earlier, 1):
        session.execute(REQUEST, [number, of_profile])
        session.execute(DATASET, [number, number])
        classes, outcomes = zip(*people.values(), strict=True)
        held = [list(people), list(classes), [json.dumps(one) for one in outcomes]]
        session.execute(INCLUDED, [number, *held])
    session.execute("CREATE TEMP TABLE shown (id bigint, class int, outcomes jsonb)")
    for key, (of_class, outcomes) in now.items():
        row = [key, of_class, json.dumps(outcomes)]
        session.execute("INSERT INTO shown VALUES (%s, %s, %s)", row)
    numbers = list(range(1, len(earlier) + 1))
    call = "SELECT release.compare(%s::bigint[], %s, %s)"
    [(found,)] = session.execute(call, [numbers, profile, k])
    return found


def changed_cells(then, now):
    """How many people of a class changed an outcome from one value to another."""
    return Counter(
        (now[key][0], name, before, now[key][1][name])
        for key, (_class, outcomes) in then.items()
        if key in now
        for name, before in outcomes.items()
        if name in now[key][1] and now[key][1][name] != before
    )


@pytest.mark.parametrize("seed", range(12))
def test_releases_are_joined_and_compared(owner_session, seed):
    draw = random.Random(seed)
    k = draw.randint(2, 5)
    now = release(draw)
    earlier = [
        (draw.choice(["limited", "limited", "safe_harbor"]), release(draw)) for _ in range(seed % 4)
    ]
    found = compared(owner_session, "limited", now, earlier, k)
    seen = [now, *(people for _profile, people in earlier)]
    everybody = set().union(*seen)
    alike = Counter(tuple(one[key][0] if key in one else None for one in seen) for key in everybody)
    joined = found["joined"]
    assert joined["classes"] == len(alike)
    assert joined["smallest"] == min(alike.values())
    assert joined["below"] == sum(number for number in alike.values() if number < k)
    assert len(found["releases"]) == len(earlier)
    for number, (told, (profile, then)) in enumerate(
        zip(found["releases"], earlier, strict=True), 1
    ):
        cells = changed_cells(then, now) if profile == "limited" else Counter()
        assert told == {
            "dataset": number,
            "added": len(now.keys() - then.keys()),
            "gone": len(then.keys() - now.keys()),
            "cells": len(cells),
            "small": sum(people < k for people in cells.values()),
            "single": sum(people == 1 for people in cells.values()),
        }
