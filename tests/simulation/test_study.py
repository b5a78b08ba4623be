"""The demo study: loaded once, left alone afterwards."""

from io import BytesIO

import numpy as np
import pytest
from django.core.files.base import ContentFile
from PIL import Image

from registry.access.models import Site, User
from registry.access.roles import Permission, Role
from registry.access.scope import scope, user_scope
from registry.crfs.limits import limits_on
from registry.exports import actions as exports
from registry.exports.models import Dataset, DatasetRequest
from registry.imaging.cleaning import clean_film
from registry.imaging.models import Film, Xray
from registry.participants.actions import withdraw_consent
from registry.simulation import study
from registry.simulation.film import HEIGHT, PATTERNS, WIDTH, draw_film
from registry.simulation.writing import SITES
from tests import build

pytestmark = pytest.mark.slow


@pytest.fixture
def loaded(committed):
    study.load_demo_study()
    return {user.email.partition("@")[0]: user for user in study.demo_users()}


def test_every_role_and_site_has_its_people(committed):
    added = study.load_demo_study()
    assert added == {
        "sites": 3,
        "users": 14,
        "consent versions": 4,
        "laboratory limits": 21,
    }
    held = {
        (membership.role, membership.site and membership.site.prefix)
        for user in study.demo_users()
        for membership in user.memberships.all()
    }
    assert {role for role, _site in held} == set(Role)
    for site in study.demo_sites():
        assert {(Role.COORDINATOR, site.prefix), (Role.INVESTIGATOR, site.prefix)} <= held


def test_the_simulation_writes_at_the_demo_sites(loaded):
    prefixes = [prefix for prefix, *_rest in SITES[: study.demo_sites().count()]]
    assert {site.prefix for site in study.demo_sites()} == set(prefixes)


def test_loading_again_changes_nothing(loaded):
    with scope(loaded["kei"], []):
        Site.objects.filter(prefix="RIO").update(sending_hour=5)
        User.objects.filter(email="ben@example.org").update(name="Ben Married")
        loaded["vera"].memberships.all().delete()
    assert study.load_demo_study() == {}
    assert Site.objects.get(prefix="RIO").sending_hour == 5
    assert User.objects.get(email="ben@example.org").name == "Ben Married"
    assert not User.objects.get(email="vera@example.org").grants


def test_people_log_in_and_limits_hold(loaded, client):
    data = {"login": "ana@example.org", "password": study.PASSWORD}
    assert client.post("/accounts/login/", data).status_code == 302
    ana = loaded["ana"]
    site = Site.objects.get(prefix="TKY")
    with user_scope(ana):
        assert len(limits_on(site.pk, site.today)) == 7


# -- films -----------------------------------------------------------------------------------


def unread_films(by, count):
    for _ in range(count):
        visit = build.attended(by, build.participant(by))
        build.form(by, visit, "xray", "right")


def test_films_wait_for_readers_and_one_for_a_look(loaded, monkeypatch):
    monkeypatch.setattr(study, "FILMS", 3)
    ana = loaded["ana"]
    unread_films(ana, 4)
    assert study.add_films() == 3
    with user_scope(loaded["eli"]):
        films = Film.objects.visible_to(loaded["eli"])
        assert sorted(films.values_list("to_check", flat=True)) == [False, False, True]
        assert set(films.values_list("by", flat=True)) == {ana.pk}
    with user_scope(loaded["chen"]):
        waiting = Xray.objects.visible_to(loaded["chen"], Permission.READ_FILMS).to_read()
        assert waiting.count() == 2
    assert study.add_films() == 0


def test_a_withdrawn_participant_gets_no_film(loaded):
    ana = loaded["ana"]
    participant = build.participant(ana)
    build.form(ana, build.attended(ana, participant), "xray", "right")
    with user_scope(ana):
        withdraw_consent(
            by=ana, participant=participant, on=participant.site.today, scope="stop_collection"
        )
    assert study.add_films() == 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_drawn_film_is_a_film_like_any_other(pattern):
    drawn = draw_film(seed=3, pattern=pattern)
    film = clean_film(ContentFile(drawn, "film.png"))
    assert (film.width, film.height) == (WIDTH, HEIGHT)
    assert drawn == draw_film(seed=3, pattern=pattern) != draw_film(seed=4, pattern=pattern)


def test_calcification_is_brighter_than_skin_and_medial():
    # The same draws but for the deposits: without noise the films differ there alone.
    bright = np.asarray(Image.open(BytesIO(draw_film(seed=1, pattern="reticular"))), np.int16)
    third = bright[int(HEIGHT * 0.66) : int(HEIGHT * 0.93)]
    medial, lateral = third[:, 590:], third[:, :300]
    assert (medial > 150).mean() > 3 * (lateral > 150).mean()
    left = np.asarray(Image.open(BytesIO(draw_film(seed=1, limb="left", pattern="reticular"))))
    assert (left[:, ::-1] == bright).all()


# -- the dataset -----------------------------------------------------------------------------


@pytest.fixture
def queued(monkeypatch, settings):
    settings.DISCLOSURE_K = {"safe_harbor": 1}
    sent = []
    monkeypatch.setattr(study.build_dataset, "delay", sent.append)
    return sent


def test_one_dataset_is_asked_for_and_approved_once(loaded, queued):
    build.participant(loaded["ana"])
    dataset = study.order_dataset()
    assert (dataset.state, dataset.request.asked_by.email) == ("queued", "fay@example.org")
    assert dataset.request.decided_by.email == "jun@example.org"
    assert study.order_dataset() == dataset
    # When it was asked for, and again: its first message may be lost with its worker.
    assert queued == [dataset.pk, dataset.pk]
    assert DatasetRequest.objects.count() == 1


def test_a_build_that_failed_is_ordered_again(loaded, queued):
    build.participant(loaded["ana"])
    failed = study.order_dataset()
    Dataset.objects.update(state=Dataset.State.FAILED, error="The build was interrupted.")
    again = study.order_dataset()
    assert again != failed
    assert again.request == failed.request


def test_nobody_to_share_is_said(loaded, queued):
    with pytest.raises(exports.ExportError, match="nothing to ask for"):
        study.order_dataset()
