"""Walls in the database: what a raw query meets, with no view in between."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from registry.access.middleware import ScopeMiddleware
from registry.access.models import User
from registry.access.scope import scope, user_scope
from registry.participants.models import Identity, Participant
from registry.visits.models import FormEntry, Visit

from .. import build


def raw(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_select_without_scope_returns_nothing(cast):
    build.participant(cast.ana)
    for model in (Participant, Visit, FormEntry, Identity):
        assert raw(f"SELECT * FROM {model._meta.db_table}") == []
    assert raw("SELECT * FROM audit_change") == []


def test_another_sites_rows_do_not_exist(cast):
    tokyo = build.participant(cast.ana)
    rio = build.participant(cast.ben)
    with user_scope(cast.ana):
        assert [p.pk for p in Participant.objects.all()] == [tokyo.pk]
        assert Participant.objects.filter(pk=rio.pk).update(sex="male") == 0
        labels = raw("SELECT DISTINCT site_id FROM audit_change")
        assert labels == [(cast.tokyo.pk,)]


def test_central_roles_never_open_the_vault(cast):
    build.participant(cast.ana)
    with user_scope(cast.eli):
        assert Participant.objects.count() == 1
        assert raw("SELECT * FROM participants_identity") == []
    with user_scope(cast.hiro):
        assert len(raw("SELECT * FROM participants_identity")) == 1


def test_a_row_cannot_be_put_at_another_site(cast):
    mine = build.participant(cast.ana)
    with user_scope(cast.ana):
        visit = Visit.objects.filter(participant=mine).first()
        Visit.objects.filter(pk=visit.pk).update(site=cast.rio)
        assert Visit.objects.get(pk=visit.pk).site_id == cast.tokyo.pk
        with pytest.raises(DatabaseError), transaction.atomic():
            Participant.objects.filter(pk=mine.pk).update(site=cast.rio)


def test_an_inner_scope_ends_inside_an_outer_transaction(cast):
    build.participant(cast.ana)
    with user_scope(cast.ben):
        with user_scope(cast.ana):
            assert Participant.objects.count() == 1
        assert Participant.objects.count() == 0
    assert raw("SELECT current_setting('registry.sites', true)") == [("",)]
    assert Participant.objects.count() == 0


def test_a_scope_left_by_an_error_inside_an_outer_transaction_ends(cast):
    build.participant(cast.ana)
    with pytest.raises(ZeroDivisionError), user_scope(cast.ana):
        raise ZeroDivisionError
    assert Participant.objects.count() == 0


def test_a_clinical_write_without_a_user_is_refused(cast):
    mine = build.participant(cast.ana)
    with user_scope(cast.ana):
        raw("SELECT set_config('registry.user', '', true)")
        with pytest.raises(DatabaseError, match="named user"), transaction.atomic():
            Participant.objects.filter(pk=mine.pk).update(sex="male")


def test_the_web_role_owns_nothing_and_cannot_become_another(cast):
    role = connection.settings_dict["USER"]
    assert raw("SELECT current_user") == [(role,)]
    assert raw(
        "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
        " WHERE r.rolname = current_user"
    ) == [(0,)]
    flags = raw(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = %s", role
    )
    assert flags == [(False, False, False)]
    for other in ("saphena_owner", "release_safe_harbor", "release_limited"):
        with pytest.raises(DatabaseError), transaction.atomic():
            raw(f"SET ROLE {other}")


@pytest.mark.parametrize("ending", ["raises", "answers 500"])
def test_a_view_that_writes_and_then_fails_leaves_no_row(cast, ending):
    mine = build.participant(cast.ana)

    def view(request: HttpRequest) -> HttpResponse:
        Participant.objects.filter(pk=mine.pk).update(sex="male")
        return HttpResponse(status=500)

    middleware = ScopeMiddleware(view)
    if ending == "raises":
        # Django hands a view's exception to process_exception and goes on with a response.
        def view_and_handler(request: HttpRequest) -> HttpResponse:
            view(request)
            middleware.process_exception(request, ValueError())
            return HttpResponse(status=400)

        middleware = ScopeMiddleware(view_and_handler)
    request = RequestFactory().post("/")
    request.user = cast.ana
    middleware(request)
    with user_scope(cast.ana):
        assert Participant.objects.get(pk=mine.pk).sex == "female"


def test_system_actors_have_names(db):
    with scope(User.objects.system("recall"), []):
        assert raw("SELECT current_setting('registry.user')") != [("",)]
