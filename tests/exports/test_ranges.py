"""A download that broke off goes on where it stopped."""

import io

import pytest
from django.core.files.storage import default_storage
from django.core.signing import dumps
from django.test import RequestFactory
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from registry.exports import ranges, views
from registry.exports.models import Download

DATA = bytes(range(100))


def ask(**headers):
    request = RequestFactory().get("/", headers=headers)
    answer = ranges.answer(request, io.BytesIO(DATA), size=100, tag="abc", name="d.zip")
    return answer, b"".join(answer)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, 99),
        ("bytes=40-", 40, 99),
        ("bytes=40-49", 40, 49),
        ("bytes=99-", 99, 99),
        ("bytes=90-500", 90, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-500", 0, 99),
    ],
)
def test_a_part_is_served(asked, first, last):
    answer, body = ask(range=asked)
    assert (answer.status_code, body) == (206, DATA[first : last + 1])
    assert answer["Content-Range"] == f"bytes {first}-{last}/100"
    assert answer["Content-Length"] == str(last + 1 - first)
    assert answer["Content-Disposition"] == 'attachment; filename="d.zip"'


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes=-",
        "bytes=5-4",
        "bytes=0-4,10-14",
        "lines=0-4",
        "bytes=x-y",
        f"bytes={'9' * 5000}-",
    ],
)
def test_what_is_no_single_range_gets_the_whole(asked):
    answer, body = ask(range=asked)
    assert (answer.status_code, body) == (200, DATA)
    assert (answer["Accept-Ranges"], answer["ETag"]) == ("bytes", '"abc"')


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_beyond_the_end_there_is_nothing(asked):
    answer, body = ask(range=asked)
    assert (answer.status_code, body, answer["Content-Range"]) == (416, b"", "bytes */100")


def test_the_rest_is_of_the_same_file_or_the_whole_of_the_new_one():
    assert ask(range="bytes=40-", if_range='"abc"')[1] == DATA[40:]
    assert ask(range="bytes=40-", if_range='"old"')[1] == DATA


@given(st.lists(st.integers(1, 99), max_size=6))
def test_any_breaks_give_the_whole(breaks):
    got = b""
    for stop in [*sorted(set(breaks)), 100]:
        got += ask(range=f"bytes={len(got)}-{stop - 1}")[1]
    assert got == DATA


def test_a_dataset_is_resumed_and_each_part_is_logged(cohort, built, client):
    dataset = built().dataset
    data = default_storage.open(dataset.stored_as).read()
    token = dumps([dataset.pk, cohort.fay.pk], salt=views.SALT)
    client.force_login(cohort.fay)
    address = reverse("download_dataset", args=[dataset.pk, token])
    part = client.get(address, headers={"range": "bytes=1000-"})
    tag = {"range": f"bytes={len(data) - 5}-", "if-range": part["ETag"]}
    assert b"".join(part) == data[1000:]
    assert b"".join(client.get(address, headers=tag)) == data[-5:]
    assert Download.objects.filter(dataset=dataset, user=cohort.fay).count() == 2
