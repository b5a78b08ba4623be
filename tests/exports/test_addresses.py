"""Addresses with a number that is none, or of no row: nothing is found, and nothing breaks."""

from urllib.parse import quote

import pytest

from registry.exports.models import DatasetProject

NUMBERS = ["9" * 5000, "9" * 4300, str(2**63), "9" * 18, "0", "-1", "1.0", "²", "x", " ", "'"]
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
ADDRESSES = [
    "/datasets/new/?project={}",
    "/datasets/requests/{}/",
    "/datasets/projects/{}/",
    "/datasets/projects/{}/deletions/",
    "/datasets/projects/{}/deletions.csv",
    "/datasets/{}/",
    "/datasets/{}/cancel/",
    "/datasets/{}/again/",
    "/datasets/{}/token/",
    "/own-data/TKY/{}/",
    "/own-data/TKY/{}/token/",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_of_no_row(cast, client, address):
    own = DatasetProject.objects.create(title="T", purpose="P", researcher=cast.fay)
    client.force_login(cast.hiro if "own-data" in address else cast.fay)
    ask = client.post if address.endswith(("cancel/", "again/")) else client.get
    for number in [*NUMBERS, str(own.pk).translate(ARABIC)]:
        assert ask(address.format(quote(number))).status_code == 404, number
