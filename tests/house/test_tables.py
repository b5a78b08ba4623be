"""Every table of every page is a real one (ux.md rule 40): captioned, headed, no empty cell."""

from html.parser import HTMLParser

import pytest

from . import urls
from .test_urls import addresses

VOID = {
    "area",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}
# What stands in a cell without being text.
SHOWN = {"img", "input", "select", "svg", "textarea", "button"}


class Tables(HTMLParser):
    """The tables of a page, each with what is wrong with it."""

    def __init__(self, page):
        super().__init__()
        self.tables = []
        self.open = []  # (tag, attributes) of every element that is open
        self.cell = None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        inside = [name for name, _given in self.open]
        if tag == "table":
            regions = [one for _name, one in self.open if one.get("role") == "region"]
            self.tables.append({"captions": 0, "sorted": 0, "wrong": []})
            if any("tabindex" not in one or "aria-label" not in one for one in regions):
                self.wrong("its region is not focusable or has no name")
        elif "table" in inside:
            if tag == "caption":
                self.tables[-1]["captions"] += 1
            if tag == "th" and given.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
                self.wrong("a heading without scope")
            if "aria-sort" in given:
                self.tables[-1]["sorted"] += 1
                if tag != "th":
                    self.wrong("aria-sort on what is no heading")
            if tag in ("td", "th"):
                self.cell = ""
            elif tag in SHOWN and self.cell is not None:
                self.cell += "x"
        if tag not in VOID:
            self.open.append((tag, given))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass
        if tag in ("td", "th"):
            if not (self.cell or "").strip():
                self.wrong("an empty cell")
            self.cell = None
        elif tag == "table":
            found = self.tables[-1]
            if found["captions"] != 1:
                self.wrong(f"{found['captions']} captions")
            if found["sorted"] > 1:
                self.wrong("sorted by several columns")

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def wrong(self, what):
        self.tables[-1]["wrong"].append(what)


def faults(page):
    return [what for one in Tables(page).tables for what in one["wrong"]]


@pytest.mark.slow  # every page as four people
def test_every_table_of_every_page(client, cast):
    found = addresses(cast)
    seen, wrong = 0, []
    for person in ("ana", "ines", "jun", "kei"):
        client.force_login(getattr(cast, person))
        for route in urls.routes():
            answer = client.get(found[route.name])
            if answer.status_code != 200 or "text/html" not in answer.headers["Content-Type"]:
                continue
            page = answer.content.decode()
            seen += page.count("<table")
            wrong += [f"{route.name} as {person}: {fault}" for fault in faults(page)]
    assert wrong == []
    assert seen > 20


TABLE = """<div role="region" tabindex="0" aria-label="Visits"><table><caption>Visits</caption>
<thead><tr><th scope="col" aria-sort="ascending">Visit</th><th scope="col">Done</th></tr></thead>
<tbody><tr><th scope="row">M03</th><td><svg></svg></td></tr></tbody></table></div>"""


def test_a_real_table_has_no_fault():
    assert faults(TABLE) == []


@pytest.mark.parametrize(
    ("former", "broken"),
    [
        ("<caption>Visits</caption>", ""),
        ("<caption>", "<caption>Two</caption><caption>"),
        (' scope="row"', ""),
        ("<svg></svg>", " "),
        ('<th scope="col">', '<th scope="col" aria-sort="none">'),
        (' tabindex="0"', ""),
        (' aria-label="Visits"', ""),
    ],
)
def test_a_fault_would_be_found(former, broken):
    assert faults(TABLE.replace(former, broken, 1))
