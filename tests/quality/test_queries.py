"""The list of data queries: who sees which, and where each leads."""

from django.urls import reverse

from registry.access.scope import user_scope
from registry.quality.models import DataQuery

from .. import build


def odd_calcium(cast, by):
    visit = build.attended(by, build.participant(by))
    odd = {"calcium_total": "3.5", "calcium_total_typed": "3.5", "calcium_total_unit": "mmol/L"}
    build.form(by, visit, "laboratory", **odd)
    with user_scope(by):
        return visit, DataQuery.objects.get(item="calcium_total")


def test_a_query_is_seen_at_its_site_and_leads_to_its_form(client, cast):
    visit, query = odd_calcium(cast, cast.ana)
    client.force_login(cast.ana)
    assert query.message in client.get(reverse("queries")).content.decode()
    there = client.get(reverse("query", args=[query.pk]))["Location"]
    assert there == reverse("visit", args=[visit.pk]) + "#form-laboratory"
    assert query.message in client.get(there).content.decode()
    client.force_login(cast.ben)
    assert query.message not in client.get(reverse("queries")).content.decode()
    assert client.get(reverse("query", args=[query.pk])).status_code == 404


def test_queries_for_the_data_manager_are_the_data_managers(client, cast):
    _visit, query = odd_calcium(cast, cast.ana)
    with user_scope(cast.ana):
        DataQuery.objects.filter(pk=query.pk).update(audience="data_manager")
    for who, sees in ((cast.ana, False), (cast.eli, False), (cast.ines, True)):
        client.force_login(who)
        assert (query.message in client.get(reverse("queries")).content.decode()) is sees
        assert (client.get(reverse("query", args=[query.pk])).status_code == 302) is sees


def test_closed_queries_are_a_filter_away(client, cast):
    _visit, query = odd_calcium(cast, cast.ana)
    with user_scope(cast.ana):
        DataQuery.objects.filter(pk=query.pk).update(state="closed")
    client.force_login(cast.ana)
    assert query.message not in client.get(reverse("queries")).content.decode()
    page = client.get(reverse("queries"), {"state": "closed"}).content.decode()
    assert query.message in page
    assert "Clear filters" in page
