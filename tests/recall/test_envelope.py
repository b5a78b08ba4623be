"""What a mail carries outside its letter, and how its letters of every alphabet travel."""

import re

import pytest

from registry.access.models import Site, User
from registry.access.scope import user_scope
from registry.recall import envelope

from .scene import outstanding, recall

NAMES = {
    "en": "Queen’s – Ward 7",
    "ja": "東京大学医学部附属病院皮膚科・血管外科合同外来" * 4,
    "pt-br": "Hospital das Clínicas da Faculdade de Medicina de São João da Boa Vista, Ambulatório",
}


@pytest.fixture
def mails(cast, sink, settings):
    """Language → the daily mail in it, parsed and as it went over the wire."""
    settings.SITE_URL = "https://registry.example.org"
    found = {}
    for number, (language, name) in enumerate(NAMES.items()):
        with user_scope(cast.kei):
            Site.objects.filter(pk=cast.tokyo.pk).update(name=name[:120])
            User.objects.filter(pk=cast.ana.pk).update(language=language)
        outstanding(cast.ana, opens=-3, closes=60)
        sink.mails.clear()
        recall(Site.objects.get(pk=cast.tokyo.pk), days=number)
        found[language] = next(
            (message, raw) for address, message, raw in sink.mails if address == cast.ana.email
        )
    return found


def test_headers_that_mail_programs_act_upon(mails):
    message, _raw = mails["en"]
    headers = {name: value.strip() for name, value in message.items()}
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["List-Id"] == "<tky.recall.registry.example.org>"
    assert re.fullmatch(
        r"<https://registry\.example\.org/recall/pause/[\w.]+/>", headers["List-Unsubscribe"]
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<recall\.[\w.-]+@registry\.example\.org>", headers["Message-ID"])
    for name in ("From", "To", "Date", "Subject", "MIME-Version"):
        assert len(message.get_all(name)) == 1
    assert not set(headers) & {"Return-Path", "Precedence", "X-Priority"}


@pytest.mark.parametrize("language", NAMES)
def test_it_travels_in_seven_bits_and_legal_lines_and_arrives_as_written(mails, language):
    message, raw = mails[language]
    assert raw.isascii()
    assert b"\x00" not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    head, _, body = raw.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 76
    for line in head.split(b"\r\n"):  # none is blank: a mail server would end the headers there
        assert line.strip()
    name = NAMES[language][:120]
    assert message["Subject"].strip().startswith(name)
    for kind in ("plain", "html"):
        text = message.get_body((kind,)).get_content()
        assert name in text
        assert "\ufffd" not in text
    assert len(raw) < 100_000


def test_text_is_encoded_in_the_shorter_way():
    assert envelope.charset_of("Recalls of Tokyo").get_body_encoding() == "quoted-printable"
    assert envelope.charset_of("Visitas de São João").get_body_encoding() == "quoted-printable"
    assert envelope.charset_of("東京の受診予定 TKY-0001-A").get_body_encoding() == "base64"
    assert envelope.charset_of("").get_body_encoding() == "quoted-printable"


def test_an_english_mail_can_be_read_as_it_is(mails):
    """Who looks into a mail queue sees what it says."""
    assert b"THE WINDOW IS OPEN (1)" in mails["en"][1]
