"""Every page for everybody: axe-core, focus in view, targets that can be hit, words that fit."""

from pathlib import Path

import axe_playwright_python
import pytest
from django.test import Client
from playwright.sync_api import expect

from ..house import test_urls, urls

pytestmark = pytest.mark.browser

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RUN_AXE = """() => axe.run(document, {iframes: false, runOnly: ["wcag2a", "wcag2aa", "wcag21aa",
    "wcag22aa", "best-practice"]}).then(found => found.violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.length} × ${one.nodes[0].html.slice(0, 160)}`))"""
# Roles in the order in which a page is looked at: as the first that gets in.
DOWNLOADS = ("api", "schema", "download_dataset", "film_original")  # for programs, and files
READERS = ["coordinator", "investigator", "data_manager", "monitor", "reader", "researcher"]
READERS += ["steward", "administrator", "outsider"]


def pages(cast):
    """(route, address, reader) of every page; who gets in stands in ``urls.csv``."""
    found = test_urls.addresses(cast)
    for (route, method), row in urls.read_table().items():
        readers = [role for role in READERS if row[role] == "200"]
        if method == "GET" and route in found and readers and not route.startswith(DOWNLOADS):
            yield route, found[route], getattr(cast, urls.ROLES[readers[0]])


@pytest.fixture
def open_pages(page, server, clinic):
    """Open every page that is HTML, each as somebody who may; yields (route, page)."""

    def open_pages():
        page.set_default_timeout(15_000)
        for route, address, reader in sorted(pages(clinic), key=lambda one: one[2].pk):
            client = Client()
            client.force_login(reader)
            cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
            page.context.clear_cookies()
            page.context.add_cookies([cookie | {"url": server}])
            if page.goto(server + address).headers["content-type"].startswith("text/html"):
                yield route, page

    return open_pages


def test_no_page_has_a_serious_violation(open_pages):
    found, seen = {}, 0
    for route, page in open_pages():
        page.evaluate(AXE)
        seen += 1
        if violations := page.evaluate(RUN_AXE):
            found[route] = violations
    assert seen > 50
    assert not found, "\n".join(f"{route}: {one}" for route, all_ in found.items() for one in all_)


# ``ux.md`` rule 67: what has the focus is never hidden, and can be hit.
HIDDEN = """() => {
    const box = document.activeElement.getBoundingClientRect();
    if (document.activeElement === document.body || !box.width) return null;
    const [x, y] = [Math.min(4, box.width / 3), Math.min(4, box.height / 3)];
    const corners = [[box.left + x, box.top + y], [box.right - x, box.bottom - y]];
    const hidden = corners.filter(([left, top]) => {
        const seen = document.elementFromPoint(left, top);
        const label = document.activeElement.labels?.[0];
        return !seen || !(document.activeElement.contains(seen) || seen.contains(
            document.activeElement) || label?.contains(seen));
    });
    return hidden.length ? document.activeElement.outerHTML.slice(0, 160) : null;
}"""
SMALL = """() => [...document.querySelectorAll("button, .btn, select, input:not([type=hidden])")]
    .filter(one => one.checkVisibility({checkVisibilityCSS: true}) && !one.disabled)
    .map(one => one.matches("[type=radio], [type=checkbox]") ? one.closest("label") ?? one : one)
    .map(one => [one, one.getBoundingClientRect()])
    .filter(([one, box]) => box.width > 1 && (box.height < 24 || box.width < 24))
    .map(([one]) => one.outerHTML.slice(0, 120))"""
# What is wider than its own box at the hospital's screen is cut off.
CLIPPED = """() => [...document.querySelectorAll("button, .btn, th, label, legend, h1, h2, .state")]
    .filter(one => one.checkVisibility() && !one.closest(".visually-hidden, .scroll"))
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
        && getComputedStyle(one).display !== "inline")
    .map(one => one.outerHTML.slice(0, 120))"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_focus_is_never_hidden_and_every_target_can_be_hit(open_pages):
    wrong = []
    for route, page in open_pages():
        wrong += [f"{route}: small {one}" for one in page.evaluate(SMALL)]
        for _step in range(60):
            page.keyboard.press("Tab")
            if hidden := page.evaluate(HIDDEN):
                wrong.append(f"{route}: hidden {hidden}")
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize(
    ("width", "height"), [(1366, 768), (683, 384), (800, 1280)], ids=["PC", "200 %", "tablet"]
)
def test_pages_fit_the_screen(open_pages, page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    wrong = []
    for route, shown in open_pages():
        if (over := shown.evaluate(WIDE)) > 0:
            wrong.append(f"{route}: {over} px too wide")
        wrong += [f"{route}: clipped {one}" for one in shown.evaluate(CLIPPED)]
    assert not wrong, "\n".join(wrong)


def test_signing_in_takes_pasted_passwords(page, server, clinic):
    page.goto(f"{server}/accounts/login/")
    password = page.locator("[name=password]")
    expect(password).to_have_attribute("autocomplete", "current-password")
    password.evaluate("box => box.dispatchEvent(new ClipboardEvent('paste', {cancelable: true}))")
    expect(page.locator("[name=login]")).to_have_attribute("autocomplete", "email")
