"""Reading a message that came back: whether it reports a failure, and which (RFC 3464).

Anybody can send such a message, so nothing of it is believed here: whose delivery it is about
must be proved by a signed return address or a Message-ID of ours (``actions/bouncing.py``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import Compat32
from enum import StrEnum

LONGEST = 2**18  # octets read of a message: a report quotes a mail of less than 100 kB
LONGEST_HEADER = 2000  # letters read of a header: the parser takes a minute for a hostile one

MESSAGE_ID = re.compile(r"<[\w.+=-]{1,150}@[\w.-]{1,100}>", re.ASCII)
# RFC 3463, and no part of an IP address; RFC 5321, and no other number.
STATUS = re.compile(r"(?<![\d.])([45])\.\d{1,3}\.\d{1,3}(?!\.?\d)", re.ASCII)
REPLY = re.compile(r"(?:^|(?<=[\s:;#(<>\"']))([45])[0-5]\d(?=[ -])", re.ASCII | re.M)

# -- reports in words, without a part for machines -----------------------------------------------
SERVER = re.compile(r"mailer-?daemon|mail-daemon|postmaster|mail delivery|mail system", re.I)
FOR_GOOD = re.compile(
    r"permanent(ly)? (fatal )?(error|failure)|failed permanently"
    r"|(user|recipient) unknown|(unknown|no such|invalid) (user|recipient)|do(es)?(n't| not) exist",
    re.I,
)
GAVE_UP = re.compile(r"time[d]? ?out|reachable|too long|retry|full|quota|exceed", re.I)
# Where a report begins to quote the mail.
QUOTED = re.compile(r"^(--.*\b(copy|original)\b|(received|return-path|message-id):)", re.I | re.M)
# Subjects of people's own programs, in the languages of the sites.
AWAY = re.compile(
    r"auto(matic)?[- ]?(reply|response)|out of|resposta autom|自動応答|自動返信|不在", re.I
)


class Verdict(StrEnum):
    """What a message says of the delivery that it is about."""

    HARD = "hard"  # did not arrive, and never will
    SOFT = "soft"  # did not arrive yet, or not this time
    AUTOMATIC = "automatic"  # an answer by a program, or a receipt: it arrived
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Finding:
    """A verdict with the status code (RFC 3463) and the server's words that it rests on."""

    verdict: Verdict
    status: str = ""
    said: str = ""


@dataclass(frozen=True)
class Returned:
    """A message, read. ``text`` is all of it, decoded; ``fingerprint`` is the same each time."""

    finding: Finding
    text: str
    fingerprint: str

    @property
    def message_ids(self) -> list[str]:
        """Every Message-ID that stands in it, in angle brackets."""
        return list(dict.fromkeys(MESSAGE_ID.findall(self.text)))


class _Short(Compat32):
    """The parser's usual policy, with headers cut."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]


def read(raw: bytes) -> Returned:
    """What the message says; no sequence of octets makes it raise."""
    raw = raw[:LONGEST]
    try:
        message = message_from_bytes(raw, policy=_Short())
        parts = list(message.walk())
        finding = _report(parts) or _in_words(message, parts)
        text = "\n".join([raw.decode("latin-1"), *_decoded(parts)])
    except Exception:
        # The standard library's parser has faults of its own on hostile input.
        finding, text = Finding(Verdict.UNCLEAR), raw.decode("latin-1")
    return Returned(finding, text, _fingerprint(raw))


def one_line(text: str) -> str:
    """What a server said, on one line and without what no page or database could show."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def grade(code: str, said: str) -> Finding:
    """The verdict on a refusal: by its status ``code``, else by what the server ``said``."""
    status = STATUS.search(code) or STATUS.search(said)
    found = status or REPLY.search(said)
    in_words = "5" if FOR_GOOD.search(said) and not GAVE_UP.search(said) else "4"
    soft = (found[1] if found else in_words) == "4"
    return Finding(Verdict.SOFT if soft else Verdict.HARD, status[0] if status else "", said)


def _report(parts: Iterable[Message]) -> Finding | None:
    """What the part for machines says; the worst, where it speaks of several recipients."""
    found = []
    for part in parts:
        kind, blocks = part.get_content_type(), part.get_payload()
        if kind in ("message/disposition-notification", "message/feedback-report"):
            return Finding(Verdict.AUTOMATIC)
        if kind == "message/delivery-status" and isinstance(blocks, list):
            fields = [block for block in blocks if isinstance(block, Message)]
            found += [_of_recipient(block) for block in fields if "Action" in block]
    order = list(Verdict)
    return min(found, key=lambda one: order.index(one.verdict), default=None)


def _of_recipient(block: Message) -> Finding:
    """A recipient's fields of a delivery status."""
    action = str(block["Action"]).strip().lower()
    said = one_line(str(block.get("Diagnostic-Code", "")).partition(";")[2])
    graded = grade(str(block.get("Status", "")), said)
    if action.startswith("failed"):
        known = graded.status or REPLY.search(said)
        return graded if known else Finding(Verdict.HARD, "", said)
    if action.startswith("delayed"):
        return Finding(Verdict.SOFT, graded.status, said)
    return Finding(Verdict.AUTOMATIC)  # delivered, relayed or expanded


def _in_words(message: Message, parts: Iterable[Message]) -> Finding:
    """What a mail server says to people. People and their programs report no failure."""
    if not SERVER.search(_header(message, "From")) and "X-Failed-Recipients" not in message:
        return Finding(Verdict.AUTOMATIC if _is_automatic(message) else Verdict.UNCLEAR)
    whole = message.get_payload()
    text = next(_decoded(parts), whole if isinstance(whole, str) else "")
    if quoted := QUOTED.search(text):
        text = text[: quoted.start()]
    for paragraph in re.split(r"\n\s*\n", text):
        if STATUS.search(paragraph) or REPLY.search(paragraph):
            return grade("", one_line(paragraph))
    return grade("", one_line(text))


def _is_automatic(message: Message) -> bool:
    """Whether a program answers (RFC 3834, and what was usual before it)."""
    said = _header(message, "Auto-Submitted").lower() or "no"
    return (
        not said.startswith("no")
        or any(name in message for name in ("X-Auto-Response-Suppress", "X-Autoreply"))
        or _header(message, "Precedence").lower() in ("auto_reply", "bulk", "junk")
        or bool(AWAY.search(_header(message, "Subject")))
    )


def _header(message: Message, name: str) -> str:
    given = str(message.get(name, ""))
    try:
        return str(make_header(decode_header(given))).strip()
    except (MessageError, LookupError, ValueError):
        return given.strip()


def _decoded(parts: Iterable[Message]) -> Iterator[str]:
    """The text of each part that is text, the first one first."""
    for part in parts:
        if part.get_content_maintype() != "text":
            continue
        octets = part.get_payload(decode=True)
        assert isinstance(octets, bytes)
        charset = part.get_content_charset("latin-1")
        try:
            text = octets.decode(charset, "replace")
        except LookupError:
            text = octets.decode("latin-1")
        text = text.replace("\r\n", "\n")
        yield re.sub(r"<[^<>@]*>", " ", text) if part.get_content_subtype() == "html" else text


def _fingerprint(raw: bytes) -> str:
    """The same for a message however often and by whatever way it is read: by its own
    Message-ID, else by its body, for mail programs write into the headers.
    """
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    own = re.search(rb"^Message-ID:\s*(<[^<>\s]+>)", head, re.I | re.M)
    return hashlib.sha256(own[1] if own else body.strip()).hexdigest()
