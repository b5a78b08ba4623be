"""The control of one item under a coordinator's hands, in a real browser."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from registry.access.scope import user_scope
from registry.crfs.models import Laboratory, Vcss

from .. import build
from ..ulcers.build import ulcer

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page, form):
    if PICTURES:
        page.locator(f"#form-{form}").screenshot(path=Path(PICTURES) / f"{form}.png")


@pytest.fixture
def visit(clinic):
    participant = build.participant(clinic.ana)
    build.form(
        clinic.ana,
        build.attended(clinic.ana, participant),
        "laboratory",
        crp=Decimal("4.2"),
    )
    return build.attended(clinic.ana, participant, "M12")


@pytest.fixture
def opened(page, server, clinic, sign_in, visit):
    """The page of a yearly visit, which has every section."""
    sign_in(clinic.ana)
    page.goto(f"{server}/visits/{visit.pk}/")
    page.locator("#form-laboratory").wait_for()
    return page


def box(page, name):
    return page.locator(f'[name="{name}"]')


def focused(page):
    return page.evaluate("document.activeElement.name || document.activeElement.textContent")


def item(page, name):
    return page.locator(f'.item[data-name="{name}"]')


def test_pictures(opened, clinic):
    for form in ("laboratory", "vcss", "ceap", "xray"):
        picture(opened, form)
