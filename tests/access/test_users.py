"""Users, roles, sites and tokens: what an administrator does, and what takes effect when."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from registry.access import actions
from registry.access.models import ApiToken, Membership, Site, User
from registry.access.roles import Permission, Role
from registry.access.scope import user_scope
from registry.access.tokens import digest

from .. import owner
from ..people import PASSWORD, make_cast

NEW_PASSWORD = "a longer horse battery"


@pytest.fixture(autouse=True)
def _no_rate_limits_of_other_tests():
    cache.clear()


@pytest.fixture
def kei(client, cast):
    client.force_login(cast.kei)
    return client


def link_in(text):
    found = re.search(r"http://localhost:\d+(/accounts/password/reset/key/\S+)", text)
    assert found, text
    return found[1]


def set_password(client, link, password=NEW_PASSWORD):
    page = client.get(link, follow=True)
    assert page.status_code == 200
    where = page.redirect_chain[-1][0]
    return client.post(where, {"password1": password, "password2": password})


ADMINISTRATORS = ["users", "user_new", "sites", "site_new"]


@pytest.mark.parametrize("name", ADMINISTRATORS)
def test_only_administrators_reach_the_pages(client, cast, name):
    anonymous = client.get(reverse(name))
    assert (anonymous.status_code, anonymous.url.split("?")[0]) == (302, "/accounts/login/")
    for person in (cast.ana, cast.hiro, cast.ines, cast.gus):
        client.force_login(person)
        assert client.get(reverse(name)).status_code == 403
    client.force_login(cast.kei)
    assert client.get(reverse(name)).status_code == 200


def test_the_list_names_everybody_with_roles_and_no_system_actor(kei, cast):
    page = kei.get(reverse("users")).content.decode()
    assert "Ana Sato" in page
    assert "Study coordinator Tokyo" in page
    assert "system.invalid" not in page
    robot = User.objects.system("recall")
    assert kei.get(reverse("user", args=[robot.pk])).status_code == 404


def test_a_new_user_sets_a_password_through_the_mail_and_logs_in(
    kei, cast, client_class, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = kei.post(
            reverse("user_new"), {"name": "Lea Novak", "email": "Lea@Example.org", "language": "en"}
        )
    lea = User.objects.get(email="lea@example.org")
    assert answer.url == reverse("user", args=[lea.pk])
    assert not lea.has_usable_password()
    (letter,) = mail.outbox
    assert letter.to == ["lea@example.org"]
    assert "Kei Adams has made an account" in letter.body
    browser = client_class()
    assert set_password(browser, link_in(letter.body)).status_code == 302
    answer = browser.post(
        reverse("account_login"), {"login": "lea@example.org", "password": NEW_PASSWORD}
    )
    assert (answer.status_code, answer.url) == (302, reverse("home"))
    again = client_class().get(link_in(letter.body), follow=True)
    assert "does not work" in again.content.decode()


@pytest.fixture
def client_class(client):
    return type(client)


def test_an_address_that_is_taken_is_refused_and_what_was_typed_kept(kei, cast):
    answer = kei.post(
        reverse("user_new"), {"name": "Anna", "email": "ANA@example.org", "language": "en"}
    )
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "A user with the e-mail ana@example.org exists." in page
    assert 'value="Anna"' in page
    assert kei.post(reverse("user_new"), {}).status_code == 422


def test_a_forgotten_password_is_set_by_an_anonymous_person(client, cast):
    answer = client.post(reverse("account_reset_password"), {"email": "ana@example.org"})
    assert answer.url == reverse("account_reset_password_done")
    (letter,) = mail.outbox
    done = set_password(client, link_in(letter.body))
    assert done.url == reverse("account_reset_password_from_key_done")
    assert client.get(done.url).status_code == 200
    cast.ana.refresh_from_db()
    assert cast.ana.check_password(NEW_PASSWORD)


@pytest.mark.parametrize("email", ["recall@system.invalid", "nobody@example.org"])
def test_system_actors_and_strangers_get_no_mail(client, cast, email):
    answer = client.post(reverse("account_reset_password"), {"email": email})
    assert answer.url == reverse("account_reset_password_done")
    assert mail.outbox == []


def test_system_actors_cannot_log_in_or_be_mailed(client, cast):
    robot = User.objects.system("recall")
    robot.set_password(PASSWORD)
    robot.save()
    answer = client.post(reverse("account_login"), {"login": robot.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    assert answer.status_code in (200, 302)
    with pytest.raises(actions.AccessError):
        actions.send_password_link(by=cast.kei, user=robot)


def test_there_is_no_signing_up_and_nobody_changes_their_address(client, cast):
    form = {"email": "new@example.org", "password1": NEW_PASSWORD}
    for answer in (client.get("/accounts/signup/"), client.post("/accounts/signup/", form)):
        assert "Accounts are made by the study" in answer.content.decode()
    assert not User.objects.filter(email="new@example.org").exists()
    client.force_login(cast.ana)
    for path in ("/accounts/email/", "/accounts/confirm-email/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "name", ["account_login", "account_reset_password", "account_reset_password_done"]
)
def test_pages_before_the_log_in_look_like_the_rest(client, db, name):
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    assert answer.templates[0].name.startswith("account/")
    assert "base.html" in [template.name for template in answer.templates]


def test_a_wrong_password_says_so(client, cast):
    answer = client.post(reverse("account_login"), {"login": "ana@example.org", "password": "no"})
    page = answer.content.decode()
    assert "not correct" in page
    assert 'value="ana@example.org"' in page


def test_who_is_made_inactive_is_out_with_the_next_request(client, kei, cast, client_class):
    ana = client_class()
    ana.force_login(cast.ana)
    assert ana.get(reverse("tokens")).status_code == 200
    answer = kei.post(
        reverse("user", args=[cast.ana.pk]),
        {"name": "Ana Sato", "email": "ana@example.org", "language": "en"},
    )
    assert answer.status_code == 302
    assert ana.get(reverse("tokens")).status_code == 302
    cast.ana.refresh_from_db()
    assert not cast.ana.is_active


def test_a_role_given_and_taken_holds_from_the_next_request(kei, cast, client_class):
    gus = client_class()
    gus.force_login(cast.gus)
    assert gus.get(reverse("participants")).status_code == 403
    given = {"role": Role.VIEWER, "site": cast.tokyo.pk}
    assert kei.post(reverse("user_role_add", args=[cast.gus.pk]), given).status_code == 302
    assert gus.get(reverse("participants")).status_code == 200
    role = cast.gus.memberships.get()
    answer = kei.post(reverse("user_role_remove", args=[cast.gus.pk, role.pk]))
    assert answer.status_code == 302
    assert gus.get(reverse("participants")).status_code == 403


@pytest.mark.parametrize(
    ("role", "at", "message"),
    [
        (Role.COORDINATOR, None, "Choose the site"),
        (Role.MONITOR, "tokyo", "This role is central"),
        (Role.VIEWER, "tokyo", "holds this role already"),
        ("king", None, "not one of the available choices"),
    ],
)
def test_a_role_that_cannot_be_given(kei, cast, role, at, message):
    data = {"role": role, "site": getattr(cast, at).pk if at else ""}
    answer = kei.post(reverse("user_role_add", args=[cast.vera.pk]), data)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert cast.vera.memberships.count() == 1


def test_the_last_administrator_stays(kei, cast):
    own = cast.kei.memberships.get()
    remove = reverse("user_role_remove", args=[cast.kei.pk, own.pk])
    answer = kei.post(remove)
    assert answer.status_code == 422
    assert "last administrator" in answer.content.decode()
    inactive = {"name": "Kei Adams", "email": "kei@example.org", "language": "en"}
    answer = kei.post(reverse("user", args=[cast.kei.pk]), inactive)
    assert answer.status_code == 422
    assert "last administrator" in answer.content.decode()
    with user_scope(cast.kei):
        actions.grant_role(by=cast.kei, user=cast.gus, role=Role.ADMINISTRATOR, site=None)
    assert kei.post(remove).status_code == 302
    assert not User.objects.get(pk=cast.kei.pk).may(Permission.MANAGE_USERS)


def test_a_changed_address_ends_the_old_one(client, cast):
    client.post(reverse("account_login"), {"login": "ana@example.org", "password": PASSWORD})
    client.post(reverse("account_logout"))
    with user_scope(cast.kei):
        actions.change_user(
            by=cast.kei,
            user=cast.ana,
            email="sato@example.org",
            name="Ana Sato",
            language="en",
            is_active=True,
        )
    client.post(reverse("account_reset_password"), {"email": "ana@example.org"})
    assert mail.outbox == []


def test_history_knows_who_gave_which_role_and_no_password(committed, client):
    cast = make_cast()
    client.force_login(cast.kei)
    given = {"role": Role.VIEWER, "site": cast.tokyo.pk}
    client.post(reverse("user_role_add", args=[cast.gus.pk]), given)
    client.post(
        reverse("user", args=[cast.gus.pk]),
        {"name": "Gus Insider", "email": "gus@example.org", "language": "en"},
    )
    statement = "SELECT label, action, changes FROM audit_change WHERE by_id = %s ORDER BY id"
    role, person = owner.rows(statement, cast.kei.pk)
    assert role[:2] == ("access.membership", "insert")
    assert role[2]["role"] == [None, "viewer"]
    assert person[:2] == ("access.user", "update")
    assert person[2] == {"name": ["Gus Outsider", "Gus Insider"], "is_active": [True, False]}
    assert owner.rows("SELECT 1 FROM audit_change WHERE changes ? 'password'") == []


# -- sites -----------------------------------------------------------------------------------

SITE = {
    "prefix": "nrt",
    "name": "Narita",
    "time_zone": "Asia/Tokyo",
    "language": "ja",
    "sending_hour": "8",
    "date_order": "",
}


def test_a_site_is_created_and_changed_and_its_prefix_stays(kei, cast):
    answer = kei.post(reverse("site_new"), SITE)
    narita = Site.objects.get(prefix="NRT")
    assert answer.url == reverse("site", args=[narita.pk])
    page = kei.get(answer.url).content.decode()
    assert "NRT" in page
    assert 'name="prefix"' not in page
    answer = kei.post(answer.url, SITE | {"prefix": "XXX", "name": "Narita City"})
    assert answer.status_code == 302
    narita.refresh_from_db()
    assert (narita.prefix, narita.name, narita.sending_hour) == ("NRT", "Narita City", 8)


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        ("prefix", "TKY", "Another site has this prefix."),
        ("prefix", "T1", "two to four letters"),
        ("time_zone", "Tokyo", "is no time zone"),
        ("sending_hour", "24", "not one of the available choices"),
        ("name", "", "required"),
    ],
)
def test_a_site_that_cannot_be(kei, cast, item, value, message):
    answer = kei.post(reverse("site_new"), SITE | {item: value})
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert 'value="Narita"' in answer.content.decode() or item == "name"
    assert Site.objects.count() == 2


# -- tokens ----------------------------------------------------------------------------------


def test_a_token_is_shown_once_stored_hashed_and_revoked(client, cast):
    client.force_login(cast.ana)
    page = client.post(reverse("tokens"), {"name": "nightly job", "days": "30"}).content.decode()
    shown = re.search(r"saphena_[\w-]+", page)[0]
    token = ApiToken.objects.get()
    assert token.digest == digest(shown)
    assert timedelta(29) < token.expires_at - timezone.now() <= timedelta(30)
    assert shown not in client.get(reverse("tokens")).content.decode()
    revoke = reverse("token_revoke", args=[token.pk])
    assert client.get(revoke).status_code == 405
    client.force_login(cast.ben)
    assert "nightly job" not in client.get(reverse("tokens")).content.decode()
    assert client.post(revoke).status_code == 404
    client.force_login(cast.ana)
    assert client.post(revoke).status_code == 302
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("days", ["0", "366", "soon", ""])
def test_a_token_lasts_a_year_at_most(client, cast, days):
    client.force_login(cast.ana)
    answer = client.post(reverse("tokens"), {"name": "my report", "days": days})
    assert answer.status_code == 422
    assert 'value="my report"' in answer.content.decode()
    assert not ApiToken.objects.exists()
    with pytest.raises(actions.AccessError):
        actions.create_token(by=cast.ana, name="x", days=366)


# -- the first account -----------------------------------------------------------------------


def test_the_first_administrator_comes_from_the_command(client, db):
    out = StringIO()
    call_command("create_administrator", email="First@Example.org", name="First", stdout=out)
    first = User.objects.get(email="first@example.org")
    assert first.may(Permission.MANAGE_USERS)
    assert Membership.objects.get(user=first).site is None
    set_password(client, link_in(out.getvalue()))
    first.refresh_from_db()
    assert first.check_password(NEW_PASSWORD)
    with pytest.raises(CommandError, match="exists"):
        call_command("create_administrator", email="first@example.org", name="Again")
    with pytest.raises(CommandError, match="no e-mail"):
        call_command("create_administrator", email="first", name="Again")


# -- language ----------------------------------------------------------------------------------


def test_everybody_chooses_their_language_and_goes_on_where_they_were(committed, client):
    cast = make_cast()
    client.force_login(cast.ana)
    answer = client.post(reverse("language"), {"language": "ja", "next": "/participants/"})
    assert answer.url == "/participants/"
    page = client.get("/participants/")
    assert (page["Content-Language"], b'<html lang="ja"' in page.content) == ("ja", True)
    assert User.objects.get(pk=cast.ana.pk).language == "ja"


@pytest.mark.parametrize("where", ["https://evil.example.org/", "//evil.example.org", ""])
def test_choosing_a_language_leads_nowhere_else(client, db, where):
    answer = client.post(reverse("language"), {"language": "ja", "next": where})
    assert answer.url == reverse("home")
    assert client.get(reverse("account_login"))["Content-Language"] == "ja"


def test_what_is_no_language_changes_nothing(client, cast):
    client.force_login(cast.ana)
    client.post(reverse("language"), {"language": "xx"})
    cast.ana.refresh_from_db()
    assert cast.ana.language == "en"


def test_a_page_that_is_not_translated_stays_english(client, cast):
    with user_scope(cast.kei):
        actions.choose_language(by=cast.kei, language="ja")
    client.force_login(cast.kei)
    assert client.get(reverse("users"))["Content-Language"] == "en"
