"""The participant's page as a browser shows it: on the hospital PC, a phone, without script."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from registry.access.scope import user_scope
from registry.imaging.blinding import key_of
from registry.visits import actions
from registry.visits.models import Visit

from .. import build
from ..imaging import films
from ..ulcers import build as ulcers
from .paper import pages_of

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page, name, **options):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True, **options)


def followed(clinic):
    """Two years of a participant: ulcers that heal and recur, a missed visit, films, classes."""
    ana = clinic.ana
    enrolled = clinic.tokyo.today - timedelta(days=800)
    participant = build.participant(ana, enrolled_on=enrolled)
    baseline = build.attended(ana, participant)
    first = ulcers.ulcer(ana, baseline, onset_on=str(enrolled.year - 1))
    left = ulcers.ulcer(ana, baseline, "left", onset_on=f"{enrolled - timedelta(days=90):%Y-%m}")
    courses = {
        "BL": ("C6", "C6", "open", "open"),
        "M03": ("C6", "C6", "open", "open"),
        "M12": ("C5", "C6", "closed", "open"),
        "M18": ("C5", "C5", "closed", "closed"),
    }
    for code, (right_class, left_class, right_state, left_state) in courses.items():
        visit = baseline if code == "BL" else build.attended(ana, participant, code)
        build.form(ana, visit, "ceap", "right", clinical=right_class)
        build.form(ana, visit, "ceap", "left", clinical=left_class)
        ulcers.assessed(ana, visit, first, right_state)
        ulcers.assessed(ana, visit, left, left_state)
        for limb in ("right", "left"):
            build.form(ana, visit, "vcss", limb, pain=2, oedema=1)
        if code in ("BL", "M12"):
            build.form(ana, visit, "laboratory", calcium_total="2.31", albumin="41")
            films.graded(ana, clinic.chen, visit, calcification="present", pattern="reticular")
            films.study(ana, visit, "left")
    with user_scope(ana):
        missed = Visit.objects.get(participant=participant, code="M06")
        actions.miss_visit(by=ana, visit=missed, because="travelling")
    row = partial(build.row, ana, participant)
    row("treatment", kind="compression_stocking", limb="both", started_on="2024-06", ongoing=True)
    row("treatment", kind="anticoagulant_warfarin", started_on=str(enrolled.year), ongoing=True)
    ablation = (enrolled + timedelta(days=200)).isoformat()
    row("treatment", kind="venous_ablation", limb="right", started_on=ablation, ongoing=False)
    for day in (150, 152, 330):
        row("event", kind="cellulitis", limb="left", occurred_on=enrolled + timedelta(days=day))
    row("end", reason="moved", ended_on=enrolled + timedelta(days=700))
    return participant


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def shared(one, other):
    """The share of the smaller box that lies in both."""
    wide = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    high = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    smaller = min(one["width"] * one["height"], other["width"] * other["height"])
    return max(0, wide) * max(0, high) / smaller


def test_the_course_on_every_width(clinic, server, sign_in):
    participant = followed(clinic)
    page = sign_in(clinic.ana)
    page.goto(f"{server}/participants/{participant}/")
    picture(page, "participant")
    assert fits(page)
    marks = page.locator(".drawing a.mark")
    rows = page.locator("#timeline-table tbody tr")
    assert marks.count() == rows.count() > 12
    # Of each mark the shape, which may not hide another one.
    boxes = [
        mark.locator("rect, use").first.bounding_box()
        for mark in marks.all()
        if mark.locator("rect, use").count()
    ]
    for one, other in combinations(boxes, 2):
        assert shared(one, other) <= 0.5
    assert not page.locator("#timeline-table").is_visible()
    page.get_by_role("link", name="Show as table").click()
    assert page.locator("#timeline-table").is_visible()
    page.get_by_role("link", name="2 years").click()
    assert "period=24" in page.url
    name = "Left leg, Ulcer L1"
    page.locator(f'a.mark[aria-label^="{name}"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/ulcers/*/")

    page.goto(f"{server}/participants/{participant}/")
    page.set_viewport_size({"width": 800, "height": 1280})
    picture(page, "participant-tablet")
    assert fits(page)
    page.set_viewport_size({"width": 360, "height": 800})
    assert not page.locator(".drawing").is_visible()
    assert page.locator("#timeline-table").is_visible()


DEFICIENCIES = ("protanopia", "deuteranopia", "tritanopia", "achromatopsia")


def seen(what):
    """The relative luminance (WCAG) of each pixel of a screenshot, 1 for white."""
    with Image.open(BytesIO(what.screenshot(animations="disabled"))) as picture:
        sent = np.asarray(picture.convert("RGB")) / 255
    light = np.where(sent <= 0.04045, sent / 12.92, ((sent + 0.055) / 1.055) ** 2.4)
    return light @ (0.2126, 0.7152, 0.0722)


def ink(light, contrast):
    """The pixels that stand out against white by ``contrast`` to 1."""
    return 1.05 / (light + 0.05) >= contrast


def test_the_course_is_read_without_its_colours(clinic, server, sign_in):
    participant = followed(clinic)
    page = sign_in(clinic.ana)
    page.goto(f"{server}/participants/{participant}/")
    drawing, signs = page.locator(".drawing"), page.locator(".legend svg").all()
    assert len(signs) >= 10
    devtools = page.context.new_cdp_session(page)
    usual = ink(seen(drawing), 3)
    for deficiency in DEFICIENCIES:
        devtools.send("Emulation.setEmulatedVisionDeficiency", {"type": deficiency})
        picture(page, f"course-{deficiency}")
        # Whatever stood out still does.
        assert (usual & ink(seen(drawing), 2.5)).sum() > 0.97 * usual.sum(), deficiency
        # And no two signs look alike.
        shapes = [ink(seen(sign)[:16, :16], 2.5) for sign in signs]
        assert all(shape.sum() > 5 for shape in shapes)
        for one, other in combinations(shapes, 2):
            assert (one ^ other).sum() >= 10, deficiency


def test_the_course_needs_no_script(clinic, server, sign_in, browser):
    participant = followed(clinic)
    state = sign_in(clinic.ana).context.storage_state()
    context = browser.new_context(storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/participants/{participant}/")
    page.get_by_role("link", name="Show as table").click()
    assert page.locator("#timeline-table").is_visible()
    page.get_by_role("link", name="Left leg, Ulcer L1").click()
    page.wait_for_url("**/ulcers/*/")
    context.close()


def test_eight_visits_stand_beside_each_other(clinic, server, sign_in):
    enrolled = clinic.tokyo.today - timedelta(days=1900)
    participant = build.participant(clinic.ana, enrolled_on=enrolled)
    for code in ("BL", "M03", "M06", "M12", "M18", "M24", "M36", "M48"):
        visit = build.attended(clinic.ana, participant, code)
        build.form(clinic.ana, visit, "vcss", "right", pain=1, oedema=2)
        if code in ("BL", "M12", "M24"):
            build.form(clinic.ana, visit, "laboratory", calcium_total="2.31", albumin="41")
    page = sign_in(clinic.ana)
    page.goto(f"{server}/participants/{participant}/over-time/vcss/")
    picture(page, "over-time")
    assert fits(page)
    region = page.get_by_role("region", name="VCSS Right")
    assert region.evaluate("region => region.scrollWidth <= region.clientWidth")
    heads = [head.split(":")[0].strip() for head in region.locator("thead a").all_inner_texts()]
    assert heads[:2] == ["48 months", "Baseline"]
    assert page.locator("main input, main select, main textarea").count() == 0
    page.goto(f"{server}/participants/{participant}/over-time/laboratory/")
    picture(page, "over-time-laboratory")
    page.goto(f"{server}/participants/{participant}/over-time/ceap/")
    assert fits(page)


def test_paper_stands_alone(clinic, server, sign_in, tmp_path):
    participant = followed(clinic)
    page = sign_in(clinic.ana)
    with user_scope(clinic.ana):
        visit = Visit.objects.get(participant=participant, code="M12")
    build.form(clinic.ana, visit, "laboratory", absent={"crp": "refused"})

    def printed(path, name):
        page.goto(f"{server}{path}")
        pdf = page.pdf(print_background=False, prefer_css_page_size=True)
        if PICTURES:
            (Path(PICTURES) / f"{name}.pdf").write_bytes(pdf)
        return pages_of(pdf)

    own = printed(f"/participants/{participant}/", "paper-participant")
    taken = printed(f"/visits/{visit.pk}/", "paper-visit")
    blank = printed(f"/visits/{visit.pk}/blank/", "paper-blank")
    queries = printed("/queries/", "paper-queries")
    report = printed("/reports/tokoro/", "paper-report")
    for sheets in (own, taken, blank, queries, report):
        for number, sheet in enumerate(sheets, 1):
            assert f"page{number}of{len(sheets)}" in sheet
            assert "printedbyAnaSato" in sheet
            assert "Signout" not in sheet
    for sheet in [*own, *taken, *blank]:
        assert f"{participant}·Tokyo" in sheet
    assert all("12months" in sheet and "notsigned" in sheet for sheet in taken)
    assert "refused" in "".join(taken)
    assert "Savedraft" not in "".join(taken)
    assert all("12months·blankform" in sheet for sheet in blank)
    assert "C4apigmentation" in "".join(blank)
    assert all("QuestionPlaceSiteOpened" in sheet for sheet in queries)


def test_a_reading_is_not_printed(clinic, server, sign_in):
    visit = build.attended(clinic.ana, build.participant(clinic.ana))
    xray = films.study(clinic.ana, visit, "right")
    films.film(clinic.ana, xray)
    page = sign_in(clinic.chen)
    page.goto(f"{server}/readings/{key_of(clinic.chen, xray.pk)}/")
    page.get_by_role("heading", name="Right").wait_for()
    [sheet] = pages_of(page.pdf(print_background=False, prefer_css_page_size=True))
    assert "Filmsandreadingsarenotprinted" in sheet
    assert "Calcification" not in sheet
    assert "Right" not in sheet
