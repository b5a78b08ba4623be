"""What the reconstruction's loader refuses, leaving nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.core.errors import RefusedError
from registry.simulation import tokoro


def test_a_prefix_in_use_is_refused(db):
    with scope(User.objects.system("migration"), []):
        Site.objects.create(prefix="TOK", name="Tokushima", time_zone="Asia/Tokyo")
    with pytest.raises(CommandError, match="TOK already belongs to Tokushima"):
        call_command("load_tokoro")


def bad_file(path: Path, row: str) -> Path:
    heading = tokoro.FIXTURE.read_text(encoding="utf-8").splitlines()[0]
    bad = path / "bad.csv"
    bad.write_text(f"{heading}\n{row}\n", encoding="utf-8")
    return bad


@pytest.mark.parametrize(
    "row",
    [
        "CVI,P01,F,old,4,3,1,punctate,0,0,0,0,",
        "case,P01,F,42,4,3,1,punctate,0,0,0,0,",
        "CVI,P01",
        "CVI,P01,F,42,,3,1,punctate,0,0,0,0,",
        "CVI,P01,F,42,9,3,1,punctate,0,0,0,0,",
        "CVI,P01,F,4,4,3,1,punctate,0,0,0,0,",
        "CVI,P01,F,42,4,3,1,lumpy,0,0,0,0,",
    ],
)
def test_a_bad_row_leaves_nothing(db, tmp_path, row):
    with pytest.raises(RefusedError):
        tokoro.load(path=bad_file(tmp_path, row))
    assert not Site.objects.filter(prefix="TOK").exists()


def test_a_missing_file_is_named(db, tmp_path):
    with pytest.raises(RefusedError, match=r"gone\.csv cannot be read"):
        tokoro.load(path=tmp_path / "gone.csv")
