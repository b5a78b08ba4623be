"""Every URL × every role: what stands in ``urls.csv`` is what happens, and nothing is left out."""

import os
from collections import Counter

import pytest
from django.db import transaction
from django.urls import reverse

from . import urls

# Reached without a log-in, and telling nothing of the registry.
PUBLIC = {"account_login", "account_reset_password", "account_reset_password_done"}
PUBLIC |= {"account_reset_password_from_key", "account_reset_password_from_key_done"}
PUBLIC |= {"account_signup", "account_inactive", "account_email_verification_sent"}
PUBLIC |= {"account_confirm_email", "account_logout", "health"}
PUBLIC |= {"mail_pause"}  # whoever has the mail
# For whoever is signed in: home says what to do next, also to somebody without a role.
SIGNED_IN = {"home"}
LET_IN = ("200", "302", "422")

HOW = "write its line with WRITE_URLS=1 pytest tests/house/test_urls.py, and review it"


def test_every_route_has_a_name_of_its_own():
    counts = Counter(route.name for route in urls.routes())
    assert [route.text for route in urls.routes() if not route.name.rpartition(":")[2]] == []
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_route_has_an_expectation():
    table = urls.read_table()
    wanted = {(route.name, method) for route in urls.routes() for method in urls.METHODS}
    missing = [f"{name} {method}: no expectation; {HOW}" for name, method in wanted - table.keys()]
    assert not missing, "\n".join(sorted(missing))
    assert sorted(table.keys() - wanted) == [], "routes in urls.csv that exist no more"
    for row in table.values():
        assert list(row) == list(urls.ROLES)


def addresses(cast):
    samples = urls.samples(cast)
    found, problems = {}, []
    for route in urls.routes():
        try:
            found[route.name] = urls.address(route, samples)
        except LookupError as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)
    return found


def observe(client, cast):
    """(route, method) → role → status, each asked in a transaction of its own, undone after."""
    observed = {}
    found = addresses(cast)
    for role, person in urls.ROLES.items():
        for route, address in found.items():
            for method in urls.METHODS:
                with transaction.atomic():
                    client.logout()
                    if person:
                        client.force_login(getattr(cast, person))
                    answer = client.generic(
                        method, address, content_type="application/x-www-form-urlencoded"
                    )
                    transaction.set_rollback(True)
                observed.setdefault((route, method), {})[role] = str(answer.status_code)
    return observed


@pytest.mark.slow  # a minute: every page as every role
def test_the_table_is_what_happens(client, cast, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr("allauth.core.ratelimit.consume", lambda *args, **kwargs: None)
    observed = observe(client, cast)
    broken = {
        f"{route} {method} as {role}: {status}": (route, method)
        for (route, method), row in observed.items()
        for role, status in row.items()
        if status.startswith("5") and route != "health"
    }
    if os.environ.get(urls.WRITE):
        sound = observed.keys() - broken.values()
        urls.write_table({place: observed[place] for place in sound})
    assert not broken, "\n".join(broken)
    table = urls.read_table()
    wrong = [
        f"{route} {method} as {role}: {status} instead of {expected}; {HOW}"
        for (route, method), row in observed.items()
        for role, status in row.items()
        if status
        not in (expected := table.get((route, method), {}).get(role, "nothing")).split("/")
    ]
    assert not wrong, "\n".join(wrong)


# -- what no review may let through ------------------------------------------------------------


def lapses(table, arguments):
    """Expectations that no page of the registry may have."""
    found = []
    for (route, method), row in table.items():
        at = f"{route} {method}"
        if route in PUBLIC:
            continue
        if row["anonymous"].startswith("2"):
            found.append(f"{at}: open to everybody")
        if (
            route not in SIGNED_IN
            and row["outsider"] in LET_IN
            and row["outsider"] != row["administrator"]
        ):
            found.append(f"{at}: open to somebody without a role")
        if (
            arguments[route]
            and row["coordinator"] in LET_IN
            and row["other_site"] in LET_IN
            and row["other_site"] != row["outsider"]
        ):
            found.append(f"{at}: another site's coordinator gets in")
    return found


def test_nobody_is_expected_to_get_in_where_they_have_no_business():
    arguments = {route.name: route.arguments for route in urls.routes()}
    assert lapses(urls.read_table(), arguments) == []


@pytest.mark.parametrize(
    "row",
    [{"anonymous": "200"}, {"outsider": "200"}, {"other_site": "200"}, {"other_site": "422"}],
)
def test_such_an_expectation_would_be_found(row):
    plain = dict.fromkeys(urls.ROLES, "404") | {"anonymous": "302", "coordinator": "200"}
    assert lapses({("participant", "GET"): plain}, {"participant": ("number",)}) == []
    assert lapses({("participant", "GET"): plain | row}, {"participant": ("number",)})


def test_signing_up_is_closed(client, db):
    form = {"email": "new@example.org", "password1": "correct horse battery"}
    assert client.get(reverse("account_signup")).status_code == 200
    client.post(reverse("account_signup"), form)
    from registry.access.models import User

    assert not User.objects.filter(email="new@example.org").exists()
