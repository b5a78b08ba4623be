"""The tables of a site's own data: every record that its staff can see, in the clinic's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import models
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext, gettext_noop

from registry.access.models import Site, SiteRecord, User
from registry.access.roles import Permission
from registry.audit.models import Look, Signature, Voiding
from registry.crfs.models import LaboratoryLimit
from registry.imaging.models import Film, Reading
from registry.participants.models import (
    Consent,
    ConsentVersion,
    Identity,
    Participant,
    Screening,
)
from registry.quality.models import DataQuery, Firing, QueryMessage, RecheckRun, Verification
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.crf import FORMS
from registry.visits.models import Attachment, FormEntry, Visit

from .cells import SNAPSHOT, Column, Row, columns_of, key, records

AT_ONCE = 500  # records fetched together

# Records of the rooms below that do not go out, and why.
LEFT_OUT: Final[dict[type[SiteRecord], str]] = {
    Look: "who looked at what is seen by nobody at the site",
    Firing: "which rules asked how often is the data manager's",
    RecheckRun: "the registry's own bookkeeping",
}
# A form's name where the table beside it has the same.
OTHERWISE: Final = {"ulcers": gettext_noop("Assessments of ulcers")}


@dataclass(frozen=True)
class Table:
    """One file of rows. ``count`` says how many there must be, asked apart from the rows."""

    name: str
    label: str
    columns: Sequence[Column]
    count: Callable[[], int]
    rows: Callable[[], Iterator[Sequence[str]]]

    @property
    def file(self) -> str:
        return f"{self.name}.csv"


def names() -> dict[str, str]:
    """Record (``app.model``) → the table that holds it."""
    named: dict[type[models.Model], str] = {
        Identity: "identities",
        Participant: "participants",
        Screening: "screenings",
        ConsentVersion: "consent_versions",
        Consent: "consents",
        Visit: "visits",
        FormEntry: "form_entries",
        **{kind.model: code for code, kind in FORMS.items()},
        UlcerAssessment: "ulcer_assessments",
        Ulcer: "ulcers",
        Film: "films",
        Reading: "readings",
        Attachment: "attachments",
        DataQuery: "queries",
        QueryMessage: "query_messages",
        Verification: "verifications",
        Signature: "signatures",
        Voiding: "signatures_void",
        LaboratoryLimit: "laboratory_limits",
    }
    return {model._meta.label_lower: name for model, name in named.items()}


def sees_readings(user: User) -> bool:
    """Nobody who grades films sees what others saw on them."""
    return not user.may(Permission.READ_FILMS)


def tables(site: Site, user: User) -> list[Table]:
    """Every table but the identities and the history; labels are in the current language.

    What ``user`` may not see in the registry is not among them.
    """
    queries = records(DataQuery, site).for_user(user)
    participant = Participant.objects.using(SNAPSHOT).filter(pk=OuterRef("participant_no"))
    signed = Visit.objects.using(SNAPSHOT).filter(pk=OuterRef("key"))
    whose = {"whose": Subquery(participant.values("study_number")[:1])}
    return [
        _table(Participant, gettext_noop("Participants"), site),
        _table(Screening, gettext_noop("Screening"), site, _of("participant")),
        _table(ConsentVersion, gettext_noop("Versions of the consent form"), site),
        _table(
            Consent,
            gettext_noop("Consents"),
            site,
            [*_of("screening__participant"), key("version", gettext("Version"), "version__code")],
        ),
        _table(
            Visit,
            gettext_noop("Visits"),
            site,
            [*_of("participant"), key("visit", gettext("Visit"), "code")],
            without={"code"},
        ),
        _table(
            FormEntry,
            gettext_noop("Forms: the state of each, and drafts"),
            site,
            _place(""),
            without={"limb", "occurrence"},
        ),
        *(
            _table(kind.model, OTHERWISE.get(code, kind.text), site, _place("entry__"))
            for code, kind in FORMS.items()
        ),
        _table(Ulcer, gettext_noop("Ulcers"), site, _of("participant")),
        _table(
            Film,
            gettext_noop("Films"),
            site,
            [*_place("xray__entry__"), *_files("xray__entry__", "original", "picture")],
        ),
        *(
            [
                _table(
                    Reading,
                    gettext_noop("Readings of films"),
                    site,
                    _place("xray__entry__"),
                    without={"reader"},
                )
            ]
            if sees_readings(user)
            else []
        ),
        _table(
            Attachment,
            gettext_noop("Files kept with forms"),
            site,
            [*_place("entry__"), *_files("entry__", "stored")],
        ),
        _table(
            DataQuery,
            gettext_noop("Data queries"),
            site,
            _subject("whose"),
            without={"label", "key"},
            found=queries.annotate(**whose),
        ),
        _table(
            QueryMessage,
            gettext_noop("Threads of the data queries"),
            site,
            found=records(QueryMessage, site).filter(query__in=queries),
        ),
        _table(
            Verification,
            gettext_noop("Answers compared with their source"),
            site,
            _subject("whose"),
            without={"label", "key"},
            found=records(Verification, site).annotate(**whose),
        ),
        _table(
            Signature,
            gettext_noop("Signatures"),
            site,
            [*_subject("whose"), key("visit", gettext("Visit"), "signed_visit")],
            without={"label", "key"},
            found=records(Signature, site).annotate(
                whose=Subquery(signed.values("participant__study_number")[:1]),
                signed_visit=Subquery(signed.values("code")[:1]),
            ),
        ),
        _table(Voiding, gettext_noop("Signatures that became void"), site),
        _table(LaboratoryLimit, gettext_noop("Limits of the laboratory"), site),
    ]


def _table(
    model: type[SiteRecord],
    text: str,
    site: Site,
    keys: Iterable[Column] = (),
    *,
    without: Iterable[str] = (),
    found: QuerySet[Any] | None = None,
) -> Table:
    rows_of = records(model, site) if found is None else found
    columns = [*keys, *columns_of(model, frozenset({"site", *without}))]
    paths = sorted({path for column in columns for path in column.path.split()})

    def rows() -> Iterator[Sequence[str]]:
        for row in rows_of.order_by("pk").values(*paths).iterator(AT_ONCE):
            yield [column.cell(row) for column in columns]

    name = names()[model._meta.label_lower]
    # Counted without what the rows are joined with, so that none is lost by a join unseen.
    return Table(name, gettext(text), columns, rows_of.order_by().count, rows)


# -- what joins the tables ---------------------------------------------------------------------


def _of(participant: str) -> list[Column]:
    return [key("study_number", gettext("Study number"), f"{participant}__study_number")]


def _place(entry: str) -> list[Column]:
    """Participant, visit, leg and occurrence of a form's ``entry`` (the path to it)."""
    return [
        *_of(f"{entry}participant"),
        key("visit", gettext("Visit"), f"{entry}visit__code"),
        key("leg", gettext("Leg"), f"{entry}limb"),
        key("occurrence", gettext("Row of a log, or label of an ulcer"), f"{entry}occurrence"),
    ]


def _subject(study_number: str) -> list[Column]:
    """Of which record of which table a row speaks."""
    return [
        key("study_number", gettext("Study number"), study_number),
        key("table", gettext("Table of the record spoken of"), "label", names()),
        key("table_record", gettext("Number of that record"), "key"),
    ]


def _files(entry: str, *columns: str) -> Iterator[Column]:
    """Where in the zip the files of a row are."""
    study_number = f"{entry}participant__study_number"
    for column in columns:

        def cell(row: Row, column: str = column) -> str:
            return file_name(row[study_number], column, row["id"], row[column])

        path = f"id {study_number} {column}"
        yield Column(column, gettext("File in this zip"), cell, path)


def file_name(study_number: str, column: str, number: int, stored_as: str) -> str:
    """The name in the zip of the file that a record's ``column`` holds."""
    what = {"original": "film", "picture": "film-picture", "stored": "file"}[column]
    return f"files/{study_number}/{what}-{number}.{stored_as.rpartition('.')[2]}"
