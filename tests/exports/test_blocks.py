"""Rows as PostgreSQL's COPY sends them, cut into blocks: none is lost, none half."""

import psycopg
import pytest
from django.db import connections, transaction
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from registry.exports import archive
from registry.exports.archive import Delivery
from registry.exports.profiles import PROFILES
from registry.exports.tables import tables

from .test_parquet import as_csv

pytestmark = pytest.mark.django_db(databases=["owner"], transaction=False)
VIEW = sql.Identifier("looks")
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def blocks(rows):
    """Those of a view, which its SQL makes; the table only says by which key they stand."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(sql.SQL("CREATE TEMP VIEW looks AS {}").format(rows))
        profile = PROFILES["safe_harbor"]
        participants = tables(profile)[0]
        found = list(
            Delivery(None, None, cursor, profile, [], [], None)._blocks(VIEW, participants)
        )
        transaction.set_rollback(True, using="owner")
    return [(bytes(block), number) for block, number in found]


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=9))
@example(["\\.", "", None, "\r", "a\nb"])
def test_records_end_as_rfc_4180_has_it_and_line_feeds_inside_stay(texts):
    rows = sql.SQL("SELECT * FROM (VALUES {}) AS v (participant, note)").format(
        sql.SQL(", ").join(sql.SQL("({}, {}::text)").format(*row) for row in enumerate(texts))
    )
    lines = [f"{number},{as_csv(text)}\r\n" for number, text in enumerate(texts)]
    assert blocks(rows) == [("".join(lines).encode(), len(texts))]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 6, 7])
def test_blocks_hold_so_many_rows_and_the_last_the_rest(monkeypatch, number):
    monkeypatch.setattr(archive, "ROWS", 3)
    found = blocks(sql.SQL("SELECT generate_series(1, {}) AS participant").format(number))
    assert [rows for _block, rows in found] == [3] * (number // 3) + [number % 3] * (number % 3 > 0)
    assert b"".join(block for block, _rows in found).split() == [
        str(one).encode() for one in range(1, number + 1)
    ]


def test_a_server_that_goes_away_amid_the_rows_is_no_end():
    rows = "CREATE TEMP VIEW looks AS SELECT generate_series(1, 2000000) AS participant"
    owner = connections["owner"].copy()
    try:
        with owner.cursor() as cursor, connections["owner"].cursor() as other:
            cursor.execute(rows)
            profile = PROFILES["safe_harbor"]
            found = Delivery(None, None, cursor, profile, [], [], None)._blocks(
                VIEW, tables(profile)[0]
            )
            assert next(found)[1] == archive.ROWS
            other.execute("SELECT pg_terminate_backend(%s)", [owner.connection.info.backend_pid])
            with pytest.raises(psycopg.OperationalError):
                list(found)
    finally:
        owner.close()
