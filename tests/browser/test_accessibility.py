"""Every page for everybody: axe-core finds no serious violation."""

from pathlib import Path

import axe_playwright_python
import pytest
from django.test import Client
from playwright.sync_api import expect

from ..house import test_urls, urls

pytestmark = pytest.mark.browser

# The script's own value is no result.
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text() + "; null"
RUN_AXE = """() => Promise.race([
    new Promise((resolve) => setTimeout(resolve, 20_000, ["axe did not end"])),
    axe.run(document, {iframes: false, resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa",
        "wcag21aa", "wcag22aa", "best-practice"]}).then(found => found.violations
        .filter(one => ["serious", "critical"].includes(one.impact))
        .map(one => `${one.id}: ${one.nodes.length} × ${one.nodes[0].html.slice(0, 160)}`)),
])"""
# Roles in the order in which a page is looked at: as the first that gets in.
# For programs, files, a mail shown without any script, and a piece of a page.
DOWNLOADS = ("api", "schema", "download_dataset", "dataset_deletions_csv", "download_copy")
DOWNLOADS += ("film_original", "recall_html", "presence")
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
        page.on("dialog", lambda dialog: dialog.accept())
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


# -- under a person's hands (``ux.md`` rules 67 and 70) ------------------------------------------

# What has the focus is never covered: both of its inner corners hit itself, a child or its label.
HIDDEN = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect();
    // What is higher than the window cannot show both corners.
    if (one === document.body || !box.width || box.height > innerHeight / 2) return null;
    const [x, y] = [Math.min(4, box.width / 3), Math.min(4, box.height / 3)];
    const covered = ([left, top]) => {
        const hit = document.elementFromPoint(left, top);
        const own = [one, ...(one.labels ?? [])];
        return !hit || !(own.some((part) => part.contains(hit)) || hit.contains(one));
    };
    const corners = [[box.left + x, box.top + y], [box.right - x, box.bottom - y]];
    return corners.some(covered) ? one.outerHTML.slice(0, 160) : null;
}"""
SMALL = """() => [...document.querySelectorAll("button, .btn, select, input:not([type=hidden])")]
    .filter((one) => one.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .map((one) => one.matches("[type=radio], [type=checkbox]") ? one.closest("label") ?? one : one)
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([one, box]) => box.width > 1 && !one.matches(".visually-hidden")
        && (box.height < 23.5 || box.width < 23.5))
    .map(([one]) => one.outerHTML.slice(0, 120))"""
CLIPPED = """() => [...document.querySelectorAll("button, .btn, th, label, legend, h1, h2, .state")]
    .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden, .scroll"))
    .filter((one) => getComputedStyle(one).display !== "inline" && one.clientWidth > 1
        && one.scrollWidth > one.clientWidth + 1)
    .map((one) => one.outerHTML.slice(0, 120))"""
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
STEPS = 40


def test_focus_is_never_hidden_and_every_target_can_be_hit(open_pages):
    wrong = []
    for route, page in open_pages():
        wrong += [f"{route}: small {one}" for one in page.evaluate(SMALL)]
        for _step in range(STEPS):
            page.keyboard.press("Tab")
            if hidden := page.evaluate(HIDDEN):
                wrong.append(f"{route}: hidden {hidden}")
    assert not wrong, "\n".join(sorted(set(wrong)))


@pytest.mark.parametrize(
    ("width", "height"), [(1366, 768), (683, 384), (800, 1280)], ids=["PC", "200 %", "tablet"]
)
def test_every_page_fits_the_screen(open_pages, page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    wrong = []
    for route, shown in open_pages():
        if (over := shown.evaluate(WIDER)) > 0:
            wrong.append(f"{route}: {over} px too wide")
        wrong += [f"{route}: clipped {one}" for one in shown.evaluate(CLIPPED)]
    assert not wrong, "\n".join(wrong)


def test_signing_in_takes_pasted_passwords(page, server, clinic):
    page.goto(f"{server}/accounts/login/")
    password = page.locator("[name=password]")
    expect(password).to_have_attribute("autocomplete", "current-password")
    password.evaluate("box => box.dispatchEvent(new ClipboardEvent('paste', {cancelable: true}))")
    expect(page.locator("[name=login]")).to_have_attribute("autocomplete", "email")
