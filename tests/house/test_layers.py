"""A room knows only the rooms below it: in its imports and in its foreign keys."""

import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
CONTRACT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = [
    [room.strip() for room in layer.split("|")]
    for layer in reversed(CONTRACT["contracts"][0]["layers"])
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def upward(models):
    """Every relation that leads to a higher room or to a sibling."""
    return [
        f"{model.__module__}.{model.__name__}.{field.name} → {field.related_model.__module__}"
        for model in models
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and field.related_model
        if (target := room_of(field.related_model))
        and target != room_of(model)
        and LEVEL[target] >= LEVEL[room_of(model)]
    ]


def room_of(model):
    root, _, rest = model.__module__.partition(".")
    return rest.partition(".")[0] if root == "registry" else ""


def registry_models():
    return [model for model in apps.get_models(include_auto_created=True) if room_of(model)]


def test_imports_point_down():
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def test_installed_apps_stand_in_the_order_of_the_layers():
    rooms = [path.split(".")[1] for path in settings.ROOMS]
    assert sorted(rooms) == sorted(LEVEL)
    levels = [LEVEL[room] for room in rooms]
    assert levels == sorted(levels)
    assert settings.INSTALLED_APPS[: len(rooms)] == settings.ROOMS


def test_foreign_keys_point_down():
    assert len(registry_models()) > 15
    assert upward(registry_models()) == []


@pytest.mark.parametrize(("room", "target"), [("participants", "visits"), ("imaging", "ulcers")])
def test_a_foreign_key_upward_or_sideways_would_be_found(room, target):
    def model(room, *fields):
        meta = SimpleNamespace(get_fields=lambda: fields)
        return SimpleNamespace(__module__=f"registry.{room}.models", __name__="M", _meta=meta)

    key = SimpleNamespace(
        name="key", is_relation=True, auto_created=False, related_model=model(target)
    )
    assert upward([model(room, key)])
