"""The committed codebook is the one that the declarations give."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


def test_docs_codebook_is_current():
    call_command("codebook", check=True)


def test_a_stale_codebook_is_found(settings, tmp_path):
    current = Path(settings.BASE_DIR, "docs", "codebook.csv").read_text(encoding="utf-8")
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "codebook.csv").write_text(current.replace("mmol/L", "mg/L"))
    with pytest.raises(CommandError, match="make codebook"):
        call_command("codebook", check=True)
    call_command("codebook", verbosity=0)
    assert (tmp_path / "docs" / "codebook.csv").read_text(encoding="utf-8") == current
