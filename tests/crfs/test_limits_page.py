"""The page of a laboratory's reference limits."""

from django.urls import reverse

from registry.access.scope import user_scope
from registry.crfs.models import LaboratoryLimit


def test_limits_are_set_and_shown_with_a_missing_end_in_words(client, cast):
    client.force_login(cast.ana)
    url = reverse("laboratory_limits", args=["TKY"])
    values = {"item": "crp", "valid_from": "2024-01-01", "low": "", "high": "1,4"}
    assert client.post(url, values).status_code == 302
    page = client.get(url).content.decode()
    assert "1.4" in page
    assert '<span class="soft">none</span>' in page


def test_bad_limits_are_422_keep_what_was_typed_and_write_nothing(client, cast):
    client.force_login(cast.ana)
    url = reverse("laboratory_limits", args=["TKY"])
    for low, high, typed in (("3", "2", "3"), ("abc", "2", "abc"), ("", "", "2024-01-01")):
        values = {"item": "crp", "valid_from": "2024-01-01", "low": low, "high": high}
        answer = client.post(url, values)
        assert answer.status_code == 422
        assert f'value="{typed}"' in answer.content.decode()
    with user_scope(cast.ana):
        assert not LaboratoryLimit.objects.exists()


def test_another_sites_limits_are_404_and_a_viewer_may_not_set(client, cast):
    url = reverse("laboratory_limits", args=["TKY"])
    client.force_login(cast.ben)
    assert client.get(url).status_code == 404
    client.force_login(cast.vera)
    assert client.get(url).status_code == 200
    assert client.post(url, {}).status_code == 403
