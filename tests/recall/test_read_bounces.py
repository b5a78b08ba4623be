"""``manage.py read_bounces``: a mailbox loses what was written, and only that."""

import io
import mailbox
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from registry.access.scope import user_scope
from registry.recall import actions, signed
from registry.recall.models import Bounce, Delivery

from . import reports
from .scene import outstanding, recall

pytestmark = pytest.mark.slow


@pytest.fixture
def messages(cast, sink, settings):
    """A bounce of each of two deliveries, an out-of-office answer, and two that stay."""
    settings.BOUNCE_ADDRESS = "bounce@registry.example.org"
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    with user_scope(cast.eli):
        first, second = Delivery.objects.order_by("pk").values_list("pk", flat=True)
    to = signed.return_address(first)
    forged = f"bounce+{first}.{'a' * 16}@registry.example.org"
    return [
        reports.dsn(to=to),
        reports.dsn(to=signed.return_address(second), status="4.2.2", own_id="<2@x>"),
        reports.reply("Auto-Submitted: auto-replied", to=to),
        reports.dsn(to=forged, own_id="<4@x>"),
        b"From: somebody@example.org\r\n\r\nBuy this.\r\n",
    ]


SAID = (
    "5 read: 1 came back for good, 1 not delivered yet, 1 automatic answers,"
    " 2 not understood, or not about our mails: left where they were.\n"
)
SAID_AGAIN = "2 read: 2 not understood, or not about our mails: left where they were.\n"


def read_bounces(*arguments):
    out = io.StringIO()
    call_command("read_bounces", *arguments, stdout=out)
    return out.getvalue()


def recorded(cast):
    with user_scope(cast.eli):
        return Bounce.objects.count()


@pytest.fixture
def mbox(tmp_path, messages):
    path = tmp_path / "bounces"
    box = mailbox.mbox(path)
    for raw in messages:
        box.add(raw)
    box.close()
    return path


@pytest.fixture
def maildir(tmp_path, messages):
    for folder in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / folder).mkdir(parents=True)
    for number, raw in enumerate(messages):
        (tmp_path / "Maildir" / "new" / f"177758{number}.mx").write_bytes(raw)
    return tmp_path / "Maildir"


def test_an_mbox_keeps_what_was_not_understood(cast, mbox):
    assert read_bounces("--mbox", str(mbox)) == SAID
    assert recorded(cast) == 2
    assert len(mailbox.mbox(mbox)) == 2
    assert read_bounces("--mbox", str(mbox)) == SAID_AGAIN
    assert recorded(cast) == 2


def test_of_a_maildir_what_was_understood_is_seen_and_the_rest_stays_new(cast, maildir, messages):
    assert read_bounces("--maildir", str(maildir)) == SAID
    assert recorded(cast) == 2
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == [
        f"177758{number}.mx:2,S" for number in range(3)
    ]
    assert len(list((maildir / "new").iterdir())) == 2
    assert read_bounces("--maildir", str(maildir)) == SAID_AGAIN


def test_a_pipe_hands_over_one_message(cast, messages, monkeypatch):
    for said in ("1 read: 1 came back for good.\n", "1 read: 1 read before.\n"):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(messages[0])))
        assert read_bounces("-") == said
    assert recorded(cast) == 1


def test_an_empty_mailbox_is_said(tmp_path, cast):
    (tmp_path / "empty").touch()
    assert read_bounces("--mbox", str(tmp_path / "empty")) == "0 read.\n"


@pytest.mark.parametrize("source", ["mbox", "maildir"])
def test_what_is_written_is_taken_off_and_the_rest_comes_again_when_the_database_goes(
    cast, request, monkeypatch, source
):
    path = request.getfixturevalue(source)
    take_in, times = actions.take_in, iter(range(9))

    def failing(**message):
        if next(times) == 1:
            raise OperationalError("gone")
        return take_in(**message)

    with monkeypatch.context() as down:
        down.setattr(actions, "take_in", failing)
        with pytest.raises(CommandError, match="No database: gone") as caught:
            read_bounces(f"--{source}", str(path))
    assert caught.value.returncode == 75
    assert recorded(cast) == 1
    assert read_bounces(f"--{source}", str(path)).startswith("4 read: 1 not delivered yet")
    assert recorded(cast) == 2


def test_a_crash_before_the_message_is_taken_off_records_it_once(cast, maildir, monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr("pathlib.Path.rename", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            read_bounces("--maildir", str(maildir))
    assert recorded(cast) == 1
    assert "1 read before" in read_bounces("--maildir", str(maildir))
    assert recorded(cast) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mbox", "/nowhere/mail"], "There is no file /nowhere/mail."),
        (["--maildir", "/nowhere"], "/nowhere is no maildir"),
        ([], "one of the arguments --mbox --maildir - is required"),
    ],
)
def test_a_wrong_place_is_refused_in_one_sentence(cast, arguments, said):
    with pytest.raises(CommandError) as caught:
        read_bounces(*arguments)
    assert said in str(caught.value)


def test_a_mailbox_that_another_process_holds_is_left_alone(cast, mbox):
    held = mailbox.mbox(mbox)
    held.lock()
    with pytest.raises(CommandError, match="is in use; try again later"):
        read_bounces("--mbox", str(mbox))
    held.unlock()
    assert read_bounces("--mbox", str(mbox)) == SAID
