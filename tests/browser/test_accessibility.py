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
DOWNLOADS = ("api", "schema", "download_dataset", "film_original", "recall_html", "presence")
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


def test_signing_in_takes_pasted_passwords(page, server, clinic):
    page.goto(f"{server}/accounts/login/")
    password = page.locator("[name=password]")
    expect(password).to_have_attribute("autocomplete", "current-password")
    password.evaluate("box => box.dispatchEvent(new ClipboardEvent('paste', {cancelable: true}))")
    expect(page.locator("[name=login]")).to_have_attribute("autocomplete", "email")
