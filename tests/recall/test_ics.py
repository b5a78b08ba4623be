"""The calendar file: read again by a parser, and line by line."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.mail import EmailMultiAlternatives
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from registry.recall import ics
from registry.recall.calendar import Method

ENTRY = ics.Entry(
    method=Method.REQUEST,
    uid="visit-0b54fbc4-2f3c-4d0a-8d5c-6a3f6c2f9c10@registry.example.org",
    sequence=2,
    at=datetime(2026, 7, 3, 10, tzinfo=ZoneInfo("Asia/Tokyo")),
    stamped_at=datetime(2026, 6, 30, 9, 30, 15, 999, tzinfo=UTC),
    summary="Study visit",
    description="Answering changes nothing in the registry.",
    location="Tokyo",
    link="https://registry.example.org/visits/7/",
    sender="Saphena <saphena@example.org>",
    recipient="ana@example.org",
)


def read(entry):
    calendar = Calendar.from_ical(ics.write(entry).text)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def test_the_whole_file():
    assert ics.write(ENTRY).text.split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Saphena//Recall//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        "SUMMARY:Study visit",
        "DTSTART:20260703T010000Z",
        "DURATION:PT1H",
        "DTSTAMP:20260630T093015Z",
        "UID:visit-0b54fbc4-2f3c-4d0a-8d5c-6a3f6c2f9c10@registry.example.org",
        "SEQUENCE:2",
        "ATTENDEE;RSVP=FALSE:mailto:ana@example.org",
        "CLASS:PRIVATE",
        "DESCRIPTION:Answering changes nothing in the registry.",
        "LOCATION:Tokyo",
        "ORGANIZER;CN=Saphena:mailto:saphena@example.org",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        "URL:https://registry.example.org/visits/7/",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_a_cancellation_names_the_same_visit_and_says_that_it_is_off():
    booked, off = read(ENTRY), read(replace(ENTRY, method=Method.CANCEL, sequence=3))
    assert off[0]["METHOD"] == "CANCEL"
    assert off[1]["STATUS"] == "CANCELLED"
    assert off[1]["SEQUENCE"] == 3
    for same in ("UID", "ORGANIZER", "ATTENDEE", "DTSTART"):
        assert off[1][same] == booked[1][same]


def test_a_sender_without_a_name_is_an_address():
    assert read(replace(ENTRY, sender="saphena@example.org"))[1]["ORGANIZER"].params == {}


# Names as people type them: any character but control characters and halves of pairs.
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=120)
LINES = st.lists(TEXTS, max_size=3).map("\n".join)
MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2199, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(st.sampled_from(Method), MOMENTS, MOMENTS, TEXTS, LINES, st.integers(0, 10_000))
def test_a_parser_reads_what_was_written(method, at, stamped_at, place, about, sequence):
    entry = replace(
        ENTRY,
        method=method,
        at=at,
        stamped_at=stamped_at,
        location=place,
        description=about,
        sequence=sequence,
    )
    calendar, event = read(entry)
    assert calendar["METHOD"] == method
    assert event["DTSTART"].dt == at.replace(microsecond=0)
    assert event["DTSTAMP"].dt == stamped_at.replace(microsecond=0)
    assert (event["LOCATION"], event["DESCRIPTION"]) == (place, about)
    assert event["SEQUENCE"] == sequence
    assert event["ORGANIZER"] == "mailto:saphena@example.org"
    assert event["ATTENDEE"] == "mailto:ana@example.org"
    assert event["ATTENDEE"].params["RSVP"] == "FALSE"


@given(TEXTS, LINES)
def test_lines_are_folded_as_the_standard_asks(place, about):
    written = ics.write(replace(ENTRY, location=place, description=about)).text.encode()
    lines = written.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    for line in lines:
        line.decode()  # no letter is cut in two


@pytest.mark.parametrize("name", ["São Paulo", "東京大学医学部附属病院", "Ward 3; “B”, north:\\n"])
def test_names_of_sites_arrive(name):
    assert read(replace(ENTRY, location=name))[1]["LOCATION"] == name


def test_an_entry_holds_no_study_number_visit_or_place():
    assert [field.name for field in fields(ics.Entry)] == [
        "method",
        "uid",
        "sequence",
        "at",
        "stamped_at",
        "summary",
        "description",
        "location",
        "link",
        "sender",
        "recipient",
    ]


def test_written_again_it_is_the_same():
    assert ics.write(ENTRY) == ics.write(replace(ENTRY, at=ENTRY.at + timedelta(0)))


def test_a_mail_carries_it_to_be_acted_on_and_to_be_saved():
    file = ics.write(replace(ENTRY, location="São Paulo"))
    message = EmailMultiAlternatives("s", "text", to=["ana@example.org"])
    message.attach_alternative("<p>html</p>", "text/html")
    ics.attach(message, file)
    whole = message.message()
    assert whole.get_content_type() == "multipart/mixed"
    alternative, saved = whole.get_payload()
    kinds = [part.get_content_type() for part in alternative.get_payload()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    acted_on = alternative.get_payload()[-1]
    assert acted_on.get_param("method") == "REQUEST"
    assert acted_on.get_content_charset() == "utf-8"
    assert (saved.get_content_type(), saved.get_filename()) == ("application/ics", "visit.ics")
    for part in (acted_on, saved):
        assert part.get_payload(decode=True).decode().splitlines() == file.text.splitlines()
