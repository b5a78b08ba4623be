"""What builds and stewards call: the disclosure report of a dataset, and of a request as of now."""

from __future__ import annotations

import json
from collections.abc import Iterator

from psycopg import sql

from .. import sharing_counts
from ..as_of import live
from ..models import Dataset, DatasetRequest
from . import counting, differencing, outcomes
from .declared import DISCLOSURES

SQL = sql.SQL


def statements() -> Iterator[sql.Composable]:
    """The views and functions, each after what it reads or calls."""
    yield from outcomes.statements()
    yield from counting.statements()
    yield from differencing.statements()
    declared = {code: one.as_json() for code, one in DISCLOSURES.items()}
    yield REPORT.format(declared=sql.Literal(json.dumps(declared)))
    asked = {"dataset": live(Dataset), "request": live(DatasetRequest)}
    everybody = SQL("release.people p")
    yield DISCLOSE_DATASET.format(
        known=counting.known(everybody, "outcomes", SQL("")),
        building=sql.Literal(str(Dataset.State.BUILDING)),
        **asked,
    )
    shared = SQL("WHERE {} IS NULL").format(sharing_counts.left_out("classes_now"))
    yield DISCLOSURE_NOW.format(
        known=counting.known(SQL("release.consenting_now p"), "outcomes_now", shared),
        ready=sql.Literal(str(Dataset.State.READY)),
        **asked,
    )


# Outcomes of forms that are not asked for are not in the dataset.
REPORT = SQL("""
CREATE FUNCTION release.disclosure_report(
    profile text, forms text[], k integer, share numeric, earlier bigint[])
RETURNS jsonb LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    declared jsonb := {declared}::jsonb -> profile;
    report jsonb;
BEGIN
    report := release.disclose(declared -> 'steps', jsonb_path_query_array(
        declared, '$.outcomes[*] ? (@.form == $forms[*])', jsonb_build_object('forms', forms)),
        k, share);
    IF NOT (report -> 'blocked')::boolean THEN
        report := report || release.compare(earlier, profile, k);
    END IF;
    RETURN report;
END $$
""")

DISCLOSE_DATASET = SQL("""
CREATE OR REPLACE FUNCTION registry_disclose_dataset(
    k integer, share numeric, earlier bigint[]) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    asked record;
    report jsonb;
BEGIN
    SELECT r.* INTO STRICT asked
        FROM {dataset} d JOIN {request} r ON r.id = d.request_id
        WHERE d.id = NULLIF(current_setting('registry.dataset', true), '')::bigint
        AND d.state = {building};
    {known}
    report := release.disclosure_report(asked.profile, asked.forms, k, share, earlier);
    IF NOT (report -> 'blocked')::boolean THEN
        UPDATE release.people p SET class = s.class, outcomes = s.outcomes, shown_sex = s.sex,
            shown_age = s.age, shown_period = s.period, shown_site = s.site
            FROM pg_temp.shown s WHERE s.id = p.id;
        DROP TABLE pg_temp.shown;
    END IF;
    DROP TABLE pg_temp.known;
    RETURN report;
END $$
""")

DISCLOSURE_NOW = SQL("""
CREATE OR REPLACE FUNCTION registry_disclosure_now(
    of_request bigint, k integer, share numeric) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_nestloop = off AS $$
DECLARE
    asked record;
    report jsonb;
BEGIN
    SELECT r.* INTO STRICT asked FROM {request} r WHERE r.id = of_request;
    {known}
    report := release.disclosure_report(asked.profile, asked.forms, k, share, ARRAY(
        SELECT d.id FROM {dataset} d JOIN {request} r ON r.id = d.request_id
        WHERE d.state = {ready} AND r.project_id = asked.project_id ORDER BY d.id));
    DROP TABLE IF EXISTS pg_temp.shown;
    DROP TABLE pg_temp.known;
    RETURN report;
END $$
""")
