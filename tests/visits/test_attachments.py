"""Photos under a form: cleaned, seen by permission, logged, removed with a reason, locked."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from PIL import Image

from registry.access.scope import user_scope
from registry.audit.models import Change, Look, Signature, Voiding
from registry.ulcers.models import Ulcer
from registry.visits.actions import (
    VisitError,
    add_unscheduled_visit,
    record_as_unscheduled,
    refresh_forms,
)
from registry.visits.attaching import AttachmentError, add_attachment
from registry.visits.attesting import contents_of, sign_visit, signed_fingerprint, verify
from registry.visits.models import Attachment, FormEntry

from .. import build
from ..posting import made_for
from ..ulcers import build as ulcers

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def picture(colour="red", kind="JPEG"):
    """A picture whose camera wrote a name into it."""
    image = Image.new("RGB", (40, 30), colour)
    exif = Image.Exif()
    exif[0x010E] = "Kuroyanagi Hanako"
    exif[0x0112] = 6  # to be turned a quarter
    buffer = BytesIO()
    image.save(buffer, kind, exif=exif, comment=b"Kuroyanagi Hanako")
    return buffer.getvalue()


@pytest.fixture
def visit(cast):
    return build.attended(cast.ana, build.participant(cast.ana))


@pytest.fixture
def entry(cast, visit):
    label = ulcers.ulcer(cast.ana, visit).label
    with user_scope(cast.ana):
        return visit.entries.select_related("participant").get(form="ulcers", occurrence=label)


def as_user(user):
    client = Client()
    client.force_login(user)
    return client


def page_of(entry, item="photos"):
    return reverse("attachments", args=[entry.pk, item])


def send(user, entry, content, name="Kuroyanagi.jpg", item="photos"):
    client = as_user(user)
    sent = {"file": SimpleUploadedFile(name, content)} | made_for(client, entry.participant)
    return client.post(page_of(entry, item), sent)


def remove(user, entry, photo, reason):
    client = as_user(user)
    sent = {"reason": reason} | made_for(client, entry.participant)
    return client.post(reverse("attachment_removed", args=[photo.pk]), sent)


def kept(cast):
    with user_scope(cast.ana):
        rows = list(Attachment.objects.all())
    return rows, sum(path.is_file() for path in Path(configured.MEDIA_ROOT).rglob("*"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_is_kept_upright_without_what_the_camera_wrote(cast, entry, kind):
    assert send(cast.ana, entry, picture(kind=kind)).status_code == 302
    (photo,), files = kept(cast)
    assert files == 1
    content = photo.stored.open().read()
    assert b"Kuroyanagi" not in content
    image = Image.open(BytesIO(content))
    assert (image.size, image.format, dict(image.getexif())) == ((30, 40), kind, {})
    assert (photo.media_type, photo.item) == (f"image/{kind.lower()}", "photos")
    with user_scope(cast.ana):
        (change,) = Change.objects.filter(label="visits.attachment")
    assert (change.action, change.by) == ("insert", cast.ana)
    assert "Kuroyanagi" not in str(change.changes)


def test_the_section_says_how_many_and_leads_there(cast, visit, entry):
    send(cast.ana, entry, picture())
    send(cast.ana, entry, picture("blue"))
    page = as_user(cast.ana).get(reverse("visit", args=[visit.pk])).content.decode()
    assert f'href="{page_of(entry)}"' in page
    assert "Photos (2)" in page


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"no picture", "cannot be read"),
        (picture()[:400], "cannot be read"),
        (PDF, "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused_and_nothing_stays(cast, entry, content, says):
    response = send(cast.ana, entry, content)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert kept(cast) == ([], 0)


def test_the_same_photo_twice_is_refused(cast, entry):
    send(cast.ana, entry, picture())
    assert "already here" in send(cast.ana, entry, picture()).content.decode()
    assert kept(cast)[1] == 1


def test_a_large_file_is_refused(cast, entry, settings):
    settings.FILM_MAX_BYTES = 100
    assert "too large" in send(cast.ana, entry, picture()).content.decode()


def test_every_look_is_logged_and_another_site_sees_nothing(cast, entry):
    send(cast.ana, entry, picture())
    (photo,), _files = kept(cast)
    address = reverse("attachment", args=[photo.pk])
    for user, status in ((cast.vera, 200), (cast.eli, 200), (cast.ben, 404), (cast.fay, 403)):
        assert as_user(user).get(address).status_code == status
    with user_scope(cast.ana):
        looks = Look.objects.filter(label="visits.attachment", key=photo.pk)
        assert {look.by for look in looks} == {cast.vera, cast.eli}
    page = as_user(cast.eli).get(page_of(entry)).content.decode()
    assert "Kuroyanagi" not in page
    assert "Upload" not in page
    assert as_user(cast.ben).get(page_of(entry)).status_code == 404


def test_only_those_who_enter_data_add_and_remove(cast, entry):
    assert send(cast.vera, entry, picture()).status_code == 403
    send(cast.ana, entry, picture())
    (photo,), _files = kept(cast)
    assert remove(cast.eli, entry, photo, "no").status_code == 403
    assert remove(cast.ben, entry, photo, "no").status_code == 404


def test_removal_takes_a_reason_and_the_file_with_it(
    cast, entry, django_capture_on_commit_callbacks
):
    send(cast.ana, entry, picture())
    (photo,), _files = kept(cast)
    remove(cast.ana, entry, photo, " ")
    assert kept(cast)[1] == 1
    with django_capture_on_commit_callbacks(execute=True):
        remove(cast.ana, entry, photo, "another patient")
    assert kept(cast) == ([], 0)
    with user_scope(cast.ana):
        gone = Change.objects.get(label="visits.attachment", action="delete")
    assert gone.reason == "another patient"


def test_a_locked_form_keeps_its_files_in_the_database_too(cast, entry):
    send(cast.ana, entry, picture())
    (photo,), _files = kept(cast)
    with user_scope(cast.ana):
        FormEntry.objects.filter(pk=entry.pk).update(locked_at=photo.at)
    assert "locked" in send(cast.ana, entry, picture("blue")).content.decode()
    with user_scope(cast.ana), pytest.raises(DatabaseError), transaction.atomic():
        Attachment.objects.filter(pk=photo.pk).delete()
    remove(cast.ana, entry, photo, "wrong")
    assert kept(cast)[1] == 1


def test_without_consent_for_images_no_photo_is_kept(cast):
    participant = build.participant(cast.ana, consent={"allows_images": False})
    visit = build.attended(cast.ana, participant)
    label = ulcers.ulcer(cast.ana, visit).label
    with user_scope(cast.ana):
        entry = visit.entries.select_related("participant").get(form="ulcers", occurrence=label)
        upload = SimpleUploadedFile("a.jpg", picture())
        with pytest.raises(AttachmentError, match="consent"):
            add_attachment(by=cast.ana, entry=entry, item=entry.file_items[0], upload=upload)
    assert kept(cast) == ([], 0)


def test_a_question_without_files_has_no_page(cast, visit, entry):
    client = as_user(cast.ana)
    assert client.get(page_of(entry, "report")).status_code == 404
    with user_scope(cast.ana):
        ceap = visit.entries.select_related("participant").get(form="ceap", limb="right")
    assert client.get(page_of(ceap)).status_code == 404


def test_a_form_that_holds_a_file_is_not_empty(cast):
    """Its column stays when the visit moves before the ulcer, and the visit stays what it is."""
    subject = build.participant(cast.ana)
    visit = build.attended(cast.ana, subject, "M03", on=cast.tokyo.today)
    label = ulcers.ulcer(cast.ana, visit).label
    address = reverse("visit", args=[visit.pk])
    assert "Record as unscheduled" in as_user(cast.ana).get(address).content.decode()
    with user_scope(cast.ana):
        entry = visit.entries.select_related("participant").get(form="ulcers", occurrence=label)
    send(cast.ana, entry, picture())
    assert "Record as unscheduled" not in as_user(cast.ana).get(address).content.decode()
    with user_scope(cast.ana):
        Ulcer.objects.update(recorded_on=visit.attended_on + timedelta(days=9))
        refresh_forms([visit])
        assert FormEntry.objects.filter(pk=entry.pk).exists()
        with pytest.raises(VisitError, match="was begun"):
            record_as_unscheduled(by=cast.ana, visit=visit)


@pytest.fixture
def biopsy(cast):
    participant = build.participant(cast.ana)
    with user_scope(cast.ana):
        visit = add_unscheduled_visit(
            by=cast.ana, participant=participant, on=participant.enrolled_on, forms=["biopsy"]
        )
        return visit.entries.select_related("participant").get(form="biopsy", limb="left")


def test_a_report_is_one_file_seen_only_by_who_enters_data(cast, biopsy):
    assert send(cast.ana, biopsy, PDF, "r.pdf", "report").status_code == 302
    (report,), _files = kept(cast)
    assert (report.media_type, report.stored.open().read()) == ("application/pdf", PDF)
    second = send(cast.ana, biopsy, PDF + b"%%EOF", "r.pdf", "report")
    assert "Remove it first" in second.content.decode()
    address = reverse("attachment", args=[report.pk])
    assert as_user(cast.ana).get(address)["Content-Disposition"].startswith("attachment")
    for user in (cast.vera, cast.eli, cast.ines):
        assert as_user(user).get(address).status_code == 403
        page = as_user(user).get(page_of(biopsy, "report")).content.decode()
        assert "may name the participant" in page
        assert address not in page


def test_half_a_report_is_refused(cast, biopsy):
    response = send(cast.ana, biopsy, PDF[:12], "r.pdf", "report")
    assert response.status_code == 422
    assert "not whole" in response.content.decode()
    assert kept(cast) == ([], 0)


@pytest.fixture
def signed(cast, biopsy):
    """A visit of two biopsies, signed; the left one has a picture for its report."""
    send(cast.ana, biopsy, picture(), item="report")
    for limb in ("right", "left"):
        on = biopsy.visit.attended_on
        build.form(cast.ana, biopsy.visit, "biopsy", limb, taken_on=on, location=["foot"])
    with user_scope(cast.hiro):
        sign_visit(by=cast.hiro, visit=biopsy.visit, meaning="reviewed")
    return biopsy


def add_one(cast, entry):
    with user_scope(cast.ana):
        right = entry.visit.entries.select_related("participant").get(form="biopsy", limb="right")
    assert send(cast.ana, right, picture("blue"), item="report").status_code == 302


def remove_one(cast, entry):
    (report,), _files = kept(cast)
    assert remove(cast.ana, entry, report, "another patient").status_code == 302


@pytest.mark.parametrize(("write", "leg"), [(add_one, "Right"), (remove_one, "Left")])
def test_a_file_added_or_removed_voids_the_signature_visibly(cast, signed, write, leg):
    write(cast, signed)
    with user_scope(cast.hiro):
        voiding = Voiding.objects.get()
        assert (voiding.by, voiding.items) == (cast.ana, ["report"])
    page = as_user(cast.hiro).get(reverse("visit", args=[signed.visit_id])).content.decode()
    assert f"Biopsy {leg}: Report changed by Ana Sato." in page


def test_a_file_that_slipped_past_the_trigger_voids_by_night(cast, signed):
    with user_scope(cast.hiro):
        signature = Signature.objects.get()
        contents = contents_of(signed.visit.entries.all())
        assert signed_fingerprint(signature.covers, contents) == signature.fingerprint
        contents.files.clear()
        assert signed_fingerprint(signature.covers, contents) != signature.fingerprint


def test_a_file_added_or_removed_ends_no_verification(cast, signed):
    """What was verified are the answers."""
    with user_scope(cast.eli):
        verify(by=cast.eli, entry=signed)
    remove_one(cast, signed)
    with user_scope(cast.eli):
        assert FormEntry.objects.get(pk=signed.pk).state == "verified"
