"""``docs/adding-an-item.md`` works: each of its steps, on a scratch copy of the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGE = ROOT / "docs" / "adding-an-item.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"# (?P<path>\S+?)(?:, above (?P<name>\w+))?\n(?P<code>.*)", re.DOTALL)
# What the embedded services give; the copy starts its own.
GIVEN = ["DATABASE_URL", "OWNER_DATABASE_URL", "RELEASE_DATABASE_URL", "REDIS_URL", "SECRET_KEY"]
GIVEN += ["IDENTITY_KEYS", "IDENTITY_INDEX_KEY", "EMAIL_URL", "MEDIA_ROOT", "STATIC_ROOT"]

LOOK = """
import json
import django
django.setup()
from datetime import date
from django.db import connections
from registry.api.serializers import form_serializer
from registry.core.forms import Clock, ItemsForm
from registry.visits.crf import FORMS

def ask(query):
    with connections["owner"].cursor() as cursor:
        cursor.execute(query)
        return sorted(row[0] for row in cursor.fetchall())

laboratory = FORMS["laboratory"]
print(json.dumps({
    "form": str(ItemsForm(laboratory.items(), Clock(date.today()))["ferritin"]),
    "api": [name for name in form_serializer(laboratory)().fields if "ferritin" in name],
    "checks": ask("SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                  " WHERE conname = 'laboratory_ferritin_possible'"),
    "release": ask("SELECT DISTINCT nspname FROM pg_attribute"
                   " JOIN pg_class ON pg_class.oid = attrelid"
                   " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
                   " WHERE attname LIKE '%ferritin%' AND nspname LIKE 'release_%'"),
}))
"""


@pytest.fixture
def copy(tmp_path):
    """The checkout as git sees it, with an environment and services of its own."""
    folder = tmp_path / "copy"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    if not (folder / ".venv").exists():
        (folder / ".venv").symlink_to(Path(sys.prefix))
    yield folder
    shutil.rmtree((folder / ".local" / "services").resolve(), ignore_errors=True)


def run(copy, *command):
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
    environment |= {
        "SAPHENA_LOCAL": str(copy / ".local"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def follow(copy, language, text):
    """Do what one block of the page says."""
    if language == "sh":
        for line in text.strip().splitlines():
            run(copy, "sh", "-ec", line)
        return
    place = PLACE.fullmatch(text)
    file = copy / place["path"]
    if not place["name"]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(place["code"])
        return
    above = re.compile(rf"^    {place['name']} = ", re.MULTILINE)
    written, count = above.subn(lambda found: place["code"] + found[0], file.read_text())
    assert count == 1, f"{place['name']} does not stand once in {place['path']}"
    file.write_text(written)


@pytest.mark.slow
def test_the_page_adds_an_item_everywhere(copy):
    blocks = BLOCK.findall(PAGE.read_text())
    assert [language for language, _ in blocks] == ["python", "sh", "sh", "python", "sh"]
    for language, text in blocks:
        follow(copy, language, text)
    seen = json.loads(run(copy, ".venv/bin/python", "-c", LOOK).splitlines()[-1])
    assert 'name="ferritin"' in seen["form"]
    assert seen["api"] == ["ferritin", "ferritin_comparator"]
    (check,) = seen["checks"]
    assert "100000" in check
    assert seen["release"] == ["release_limited", "release_safe_harbor"]
    codebook = (copy / "docs" / "codebook.csv").read_text()
    assert re.search(
        r"^laboratory,ferritin,laboratory_ferritin,Ferritin,number,µg/L,", codebook, re.M
    )
    assert "ferritin" not in (ROOT / "registry/crfs/laboratory.py").read_text()
