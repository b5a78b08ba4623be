"""What a mail says, what it never says, and how it is built."""

import html
import re
from dataclasses import fields
from datetime import date
from html.parser import HTMLParser

import pytest

from registry.access.models import Site, User
from registry.access.scope import user_scope
from registry.core.dates import show_date
from registry.recall import actions, letter, tasks
from registry.recall.kinds import Kind
from registry.recall.models import Delivery
from registry.visits.actions import save_draft
from registry.visits.models import Visit

from .. import build
from .scene import BETRAYALS, CANARY, canary, listen, noon, outstanding, recall, send_waiting


def part(message, kind):
    return message.get_body((kind,)).get_content().replace("\r\n", "\n")


class Tags(HTMLParser):
    """The start tags of a page, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def one_of_each(cast):
    """A visit in each group, the least urgent first."""
    return [
        outstanding(cast.ana, opens=opens, closes=closes)
        for opens, closes in [(5, 90), (-10, 60), (-50, 3), (-60, -9)]
    ]


def the_mail(sink):
    return next(message for address, message, _raw in sink.mails if address == "ana@example.org")


def test_subject_counts_and_says_nothing_about_anybody(cast, sink):
    one_of_each(cast)
    recall(cast.tokyo)
    assert the_mail(sink)["Subject"] == "Tokyo: 4 recalls, 1 overdue"


def test_groups_stand_by_urgency_with_number_visit_window_and_link(cast, sink, settings):
    settings.SITE_URL = "https://registry.example.org"
    visits = one_of_each(cast)
    recall(cast.tokyo)
    text = part(the_mail(sink), "plain")
    numbers = [visit.participant.study_number for visit in reversed(visits)]
    assert re.findall(r"TKY-\d{4}-\w", text) == numbers
    assert re.findall(r"^[A-Z][A-Z0-9: ]+ \(1\)$", text, re.M) == [
        "OVERDUE: THE WINDOW HAS CLOSED (1)",
        "THE WINDOW CLOSES SOON (1)",
        "THE WINDOW IS OPEN (1)",
        "THE WINDOW OPENS SOON (1)",
    ]
    for visit in visits:
        assert f"https://registry.example.org/visits/{visit.pk}/" in text
        line = text[text.index(visit.participant.study_number) :]
        window = f"{show_date(visit.opens_on)} to {show_date(visit.closes_on)}"
        what = f"{visit.participant.study_number} · 24 months, with X-ray"
        assert line.startswith(f"{what}\n  {window}\n")


def test_within_a_group_what_closed_first_stands_first(cast, sink):
    """Not what was told last: the third week's reminder is newer than the first week's."""
    later, first = (outstanding(cast.ana, opens=-60, closes=closes) for closes in (-9, -22))
    recall(cast.tokyo)
    numbers = re.findall(r"TKY-\d{4}-\w", part(the_mail(sink), "plain"))
    assert numbers == [first.participant.study_number, later.participant.study_number]


def test_it_says_to_whom_it_goes(cast, sink):
    one_of_each(cast)
    recall(cast.tokyo)
    for kind in ("plain", "html"):
        assert "This mail goes to: Ana Sato, Hiro Mori." in part(the_mail(sink), kind)


def test_it_does_not_say_that_it_goes_to_who_is_told_no_more(cast, sink):
    one_of_each(cast)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.hiro.pk).update(is_active=False)
    send_waiting(cast.tokyo, noon(cast.tokyo))
    assert "This mail goes to: Ana Sato." in part(the_mail(sink), "plain")


def test_both_parts_say_the_same(cast, sink):
    one_of_each(cast)
    recall(cast.tokyo)
    plain, rich = (part(the_mail(sink), kind) for kind in ("plain", "html"))
    links = re.findall(r"http://\S+", plain)
    assert sorted(links) == sorted({a["href"] for tag, a in Tags(rich).tags if tag == "a"})
    assert re.findall(r"TKY-\d{4}-\w", plain) == re.findall(r"TKY-\d{4}-\w", rich)
    assert re.findall(r"\d+ \w+ 20\d\d", plain)[1:] == re.findall(r"\d+ \w+ 20\d\d", rich)[1:]
    shown = html.unescape(re.sub(r"<[^>]+>", " ", rich))
    assert "4 recalls, 1 overdue" in plain
    assert "4 recalls, 1 overdue" in shown


def test_the_mail_is_built_as_mail_readers_need_it(cast, sink):
    one_of_each(cast)
    recall(cast.tokyo)
    message = the_mail(sink)
    assert message.get_content_type() == "multipart/alternative"
    kinds = [each.get_content_type() for each in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert message["Auto-Submitted"] == "auto-generated"
    name = r"<recall\.daily\.[\d-]+\.TKY\.\d+\.[a-z2-7]{16}@localhost>"
    assert re.fullmatch(name, message["Message-ID"])
    assert message["To"] == "ana@example.org"
    lines = part(message, "plain").splitlines()
    assert max(len(line) for line in lines if "http" not in line) <= 78
    signature = lines.index("-- ")  # mail programs fold away or leave out what comes after it
    assert lines.index("http://localhost:8000/recall/") < signature
    tags = Tags(part(message, "html")).tags
    assert ("html", {"lang": "en"}) in tags
    assert all("scope" in about for tag, about in tags if tag == "th")
    assert not {tag for tag, _about in tags} & {"script", "img", "form", "input", "iframe"}
    assert len(message.as_bytes()) < 100_000


def test_every_letter_arrives_as_it_was_written(cast, sink):
    with user_scope(cast.kei):
        Site.objects.filter(pk=cast.tokyo.pk).update(name="São Paulo 東京 <&>")
    outstanding(cast.ana, opens=-3, closes=60)
    recall(Site.objects.get(pk=cast.tokyo.pk))
    message = the_mail(sink)
    assert message["Subject"] == "São Paulo 東京 <&>: 1 recall"
    assert "Recalls of São Paulo 東京 <&> on" in part(message, "plain")
    assert "Recalls of São Paulo 東京 &lt;&amp;&gt; on" in part(message, "html")
    raw = next(raw for _address, _message, raw in sink.mails)
    header, _, _body = raw.partition(b"\r\n\r\n")
    assert header.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_a_template_is_given_nothing_but_numbers_visits_windows_and_links():
    assert [field.name for field in fields(letter.Line)] == [
        "study_number",
        "what",
        "first",
        "last",
        "path",
    ]
    assert [field.name for field in fields(letter.Letter)] == [
        "site",
        "day",
        "groups",
        "readers",
        "link",
        "language",
    ]
    assert [field.name for field in fields(letter.Group)] == ["kind", "count", "lines", "page"]


def test_no_identity_or_free_text_is_in_any_mail_header_row_or_task(cast, sink, eager, monkeypatch):
    person = canary()
    visit = outstanding(cast.ana, opens=-20, closes=60, person=person)
    baseline = build.attended(cast.ana, visit.participant)
    with user_scope(cast.ana):
        Visit.objects.filter(pk=visit.pk).update(booked_place=f"{CANARY}6")
        entry = baseline.entries.first()
        save_draft(by=cast.ana, entry=entry, raw={"note": [f"{CANARY}7"]}, revision=entry.revision)
    with user_scope(cast.kei):
        Site.objects.update(sending_hour=0)
    queued = listen(monkeypatch)
    tasks.tick()
    assert (len(sink.mails), len(queued)) == (2, 1)
    with user_scope(cast.ana):
        stored = list(Delivery.objects.values())
    everything = [str(stored), str(queued)]
    for _address, message, raw in sink.mails:
        everything += [raw.decode("utf-8"), part(message, "plain"), part(message, "html")]
        everything += [str(message["Subject"]), str(message["To"])]
    for text in everything:
        assert not BETRAYALS.search(text)
    (([(site_id, keys)],), _options) = queued[0]
    assert all(isinstance(one, int) for one in (site_id, *keys))


def test_no_address_in_a_mail_changes_anything_on_get(cast, sink, client):
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    client.force_login(cast.ana)
    with user_scope(cast.ana):
        before = list(Visit.objects.order_by("pk").values())
    for address in re.findall(r"http://localhost:8000(\S+)", part(the_mail(sink), "plain")):
        for _twice in range(2):
            assert client.get(address).status_code == 200
    with user_scope(cast.ana):
        assert list(Visit.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    ("counts", "subject"),
    [
        ({Kind.OPEN: 1}, "Rio: 1 recall"),
        ({Kind.OVERDUE: 1}, "Rio: 1 recall, 1 overdue"),
        ({Kind.CLOSING: 2, Kind.OVERDUE: 12}, "Rio: 14 recalls, 12 overdue"),
        ({Kind.ESCALATED: 1}, "Rio: 1 visit escalated to you"),
        ({Kind.ESCALATED_TWICE: 2, Kind.ESCALATED: 1}, "Rio: 3 visits escalated to you"),
    ],
)
def test_subjects(counts, subject):
    line = letter.Line("RIO-0001-A", "12 months", date(2026, 1, 1), date(2026, 2, 1), "x")
    groups = tuple(letter.Group(kind, number, (line,), "/") for kind, number in counts.items())
    assert letter.Letter("Rio", date(2026, 1, 1), groups, (), "x", "en").subject == subject


def test_a_closed_window_is_called_overdue_even_when_the_outage_swallowed_its_warning(cast, sink):
    outstanding(cast.ana, opens=-50, closes=-2)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    keys = actions.unfinished(by=by, site=cast.tokyo)
    actions.send(by=by, waiting=[(cast.tokyo, keys)], now=noon(cast.tokyo))
    assert the_mail(sink)["Subject"] == "Tokyo: 1 recall, 1 overdue"
