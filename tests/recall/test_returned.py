"""Reading what came back, message by message."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.recall.returned import Verdict, read

from . import reports

SAMPLES = {
    "postfix": reports.dsn(),
    "exchange": reports.exchange(),
    "gmail": reports.gmail(),
    "qmail": reports.qmail(),
    "japan": reports.provider_of_japan(),
    "exim": reports.exim(),
    "away": reports.reply("Auto-Submitted: auto-replied"),
}


@pytest.mark.parametrize(
    ("sample", "status", "said"),
    [
        ("postfix", "5.1.1", "550 5.1.1 <hiro@example.org>: Recipient address rejected"),
        ("exchange", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"),
        ("gmail", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist."),
        ("qmail", "5.1.1", "<hiro@example.org>: 192.0.2.7 does not like recipient. Remote host"),
        (
            "japan",
            "",
            "送信先のメールアドレスが見つかりませんでした。 <hiro@example.ne.jp> User unknown",
        ),
        ("exim", "5.2.2", "hiro@example.org SMTP error from remote mail server after RCPT TO:"),
    ],
)
def test_what_never_will_arrive_is_hard(sample, status, said):
    finding = read(SAMPLES[sample]).finding
    assert (finding.verdict, finding.status) == (Verdict.HARD, status)
    assert finding.said.startswith(said)


@pytest.mark.parametrize(
    "raw",
    [
        reports.dsn(action="delayed", status="4.4.1", said="X-Postfix; connect: timed out"),
        reports.dsn(action="delayed", status="5.1.1"),
        reports.dsn(status="4.4.7", said="smtp; 550 queue time expired"),
        reports.dsn(status="4.2.2", said="smtp; 452 4.2.2 mailbox full"),
        reports.dsn(status="", said="smtp; 451 try later"),
        reports.qmail(
            said="I'm not going to try again; it has been in the queue too long. (#4.4.1)"
        ),
        reports.qmail(said="Remote host said: 452 mailbox full"),
    ],
    ids=["delayed", "delayed-5", "expired", "full", "no-status", "qmail-queue", "qmail-full"],
)
def test_what_may_still_arrive_or_did_not_this_time_is_soft(raw):
    assert read(raw).finding.verdict == Verdict.SOFT


@pytest.mark.parametrize(
    "raw",
    [
        reports.dsn(status="", said="smtp; 550 no such user"),
        reports.dsn(status="", said="x-unix; input/output error"),
        reports.dsn(status="5.0.0", said=""),
        reports.dsn(action="FAILED (permanently)", status="5.1.1 (bad mailbox)"),
    ],
)
def test_a_failed_report_without_a_status_is_read_by_what_there_is(raw):
    assert read(raw).finding.verdict == Verdict.HARD


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_receipt_is_no_failure(action):
    raw = reports.dsn(action=action, status="2.0.0", said="smtp; 250 ok")
    assert read(raw).finding.verdict == Verdict.AUTOMATIC


def test_of_several_recipients_the_worst_counts():
    """A forwarding mailbox: one copy arrived, the other did not."""
    arrived = b"Final-Recipient: rfc822; a@b.c\r\nAction: relayed\r\nStatus: 2.0.0\r\n\r\n"
    raw = reports.dsn().replace(
        b"Final-Recipient: rfc822; hiro", arrived + b"Final-Recipient: rfc822; hiro"
    )
    assert read(raw).finding.verdict == Verdict.HARD


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; type=vacation",
        "X-Auto-Response-Suppress: All",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
        "Subject: Automatic reply: Tokyo: 1 recall",
        "Subject: Out of office",
        "Subject: Resposta =?utf-8?q?autom=C3=A1tica?=: Rio",
        "Subject: =?iso-2022-jp?b?GyRCPCtGMDF+RXobKEI=?=: Tokyo",
    ],
)
def test_an_answer_by_a_program_is_no_failure(header):
    raw = reports.reply(header, text="Away until 5 May. Call 550 1234. Error 5.1.1 is a joke.")
    assert read(raw).finding.verdict == Verdict.AUTOMATIC


@pytest.mark.parametrize(
    "raw",
    [
        reports.reply("Subject: Re: Tokyo", text="550 5.1.1 User unknown"),
        reports.reply("Subject: Please confirm that you are a person", text="Press here."),
        b"",
        b"\r\n\r\n",
        b"550 5.1.1 User unknown",
    ],
    ids=["person", "challenge", "empty", "blank", "bare"],
)
def test_what_no_mail_server_says_stays_unclear(raw):
    assert read(raw).finding.verdict == Verdict.UNCLEAR


@pytest.mark.parametrize("kind", ["disposition-notification", "feedback-report"])
def test_a_reading_receipt_and_a_complaint_are_no_failure(kind):
    raw = reports.dsn().replace(b"message/delivery-status", f"message/{kind}".encode())
    assert read(raw).finding.verdict == Verdict.AUTOMATIC


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_mails_own_message_id_is_found_wherever_it_stands(sample):
    assert reports.SENT in read(SAMPLES[sample]).message_ids


def test_it_is_found_in_an_encoded_part_too():
    import base64

    quoted = base64.b64encode(f"Message-ID: {reports.SENT}\r\n".encode())
    raw = reports.dsn(sent="gone").replace(
        b"Content-Type: text/rfc822-headers\r\n\r\n",
        b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n" + quoted,
    )
    assert reports.SENT in read(raw).message_ids


def test_a_message_is_the_same_however_it_is_handed_over():
    raw = reports.dsn()
    piped = b"X-Original-To: x\n" + raw.replace(b"\r\n", b"\n")
    assert read(raw).fingerprint == read(piped).fingerprint
    assert read(raw).fingerprint != read(reports.dsn(own_id="<other@mx.example.org>")).fingerprint
    nameless = raw.replace(b"Message-Id: <20260501070312.4F1B2@mx.example.org>\r\n", b"")
    assert read(nameless).fingerprint == read(b"X-Spam: no\r\n" + nameless).fingerprint


def test_no_number_of_an_ip_address_or_a_text_is_taken_for_a_code():
    raw = reports.qmail(
        said="Connected to 10.5.1.1 but it said 5000 times 550.5 things about 4.5.6.7"
    )
    assert read(raw).finding.status == ""


def test_what_the_server_said_is_one_printable_line():
    raw = reports.dsn(said="smtp; 550 5.1.1 a\x00b\x1b[31m c\u202ed\n\tfolded\udcff")
    said = read(raw).finding.said
    assert said.isprintable()
    assert "\x00" not in said


def test_a_huge_message_is_read_in_part():
    assert read(reports.dsn() + b"x" * 30_000_000).finding.verdict == Verdict.HARD


# -- whatever comes ------------------------------------------------------------------------------


@given(st.binary(max_size=4000))
def test_no_octets_make_it_raise(raw):
    read(raw)


@given(st.data(), st.sampled_from(sorted(SAMPLES)))
def test_no_damage_to_a_report_makes_it_raise(data, sample):
    raw = SAMPLES[sample]
    for _time in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        to = data.draw(st.integers(at, min(len(raw), at + 200)))
        raw = raw[:at] + data.draw(st.binary(max_size=60)) + raw[to:]
    found = read(raw)
    assert len(found.fingerprint) == 64


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: message/rfc822\r\n\r\n" * 3000,
        b'Content-Type: multipart/mixed; boundary="a"\r\n\r\n--a\r\n' * 3000,
        b"Content-Type: text/plain; charset*=x''\xff%ff\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=no-such\r\nFrom: postmaster\r\n\r\n\xff 550 x",
        b"From: =?utf-8?b?////?=\r\nSubject: =?x?q?=ff?=\r\n\r\n",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 6 x\n\xff",
        b"Content-Type: message/delivery-status\r\n\r\nAction: \xff\r\nStatus: \xfe5.1.1",
    ],
    ids=["nested", "parts", "charset", "unknown", "words", "uu", "fields"],
)
def test_what_breaks_parsers_does_not_break_it(raw):
    read(raw)


@pytest.mark.parametrize(
    "hostile",
    [
        b'Content-Type: text/plain; a="' + b";" * 2**20,
        b"Subject: " + b"=?a?q?" * 2**18,
        b"From: postmaster\r\n\r\n" + b"-" * 2**20,
        b"From: postmaster\r\nContent-Type: text/html\r\n\r\n" + b"<a" * 2**19,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 2**18,
    ],
    ids=["parameters", "words", "dashes", "tags", "parts"],
)
def test_no_message_keeps_the_reader_busy(hostile):
    """The standard parser alone takes over a minute for the first."""
    begun = time.process_time()
    read(hostile)
    assert time.process_time() - begun < 5
